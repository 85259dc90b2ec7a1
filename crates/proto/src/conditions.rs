//! The defined conditions of a specification, as an enum whose variants know the names of their elements.
//! Used for stream errors, stanza errors and SASL failures, which RFC 6120 defines in the same way.

/// Makes the enum with `ALL` and `name`, from its variants and their elements' names.
macro_rules! conditions {
    ($(#[$about:meta])* pub enum $condition:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $condition {
            $($(#[$doc])* $variant,)*
        }

        impl $condition {
            /// All of them, in the order of the RFC.
            pub const ALL: &[$condition] = &[$($condition::$variant),*];

            /// The name of its element.
            pub fn name(self) -> &'static str {
                match self {
                    $($condition::$variant => $name,)*
                }
            }
        }
    };
}

pub(crate) use conditions;
