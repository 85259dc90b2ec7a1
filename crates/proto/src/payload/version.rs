//! XEP-0092: Software Version.

use crate::ns;
use crate::xml::{Child, Tree};

/// What runs at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The software's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The operating system; many do not tell.
    pub os: Option<String>,
}

impl Version {
    /// Reads a result's `<query/>`.
    pub fn read(query: &Child<'_>) -> Version {
        let text = |name| query.child(ns::VERSION, name).map(|child| child.text().into_owned());
        Version { name: text("name").unwrap_or_default(), version: text("version").unwrap_or_default(), os: text("os") }
    }

    /// The `<query/>` of a result.
    pub fn tree(&self) -> Tree {
        let child = |name: &str, text: &String| Tree::new(ns::VERSION, name).text(text);
        request()
            .child(child("name", &self.name))
            .child(child("version", &self.version))
            .children(self.os.as_ref().map(|os| child("os", os)))
    }
}

/// The `<query/>` of a request.
pub fn request() -> Tree {
    Tree::new(ns::VERSION, "query")
}
