//! Networks as administrators write them (RFC 4632, RFC 4291 section 2.3), and what counts as one address of a client.
//! Called by the options for their lists, and by whatever limits something per address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses such as `192.0.2.0/24` or `2001:db8::/32`; a single address is a block of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix_bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// What stands before the slash, or the whole, is no address.
    #[error("`{0}` is not an address")]
    Address(String),
    /// What stands behind the slash is no length that such an address can have.
    #[error("`{0}` is not a length of its prefix")]
    Prefix(String),
    /// The address is not the first of the block; the block that was probably meant.
    #[error("the network with this address is {0}")]
    Beyond(Network),
}

impl Network {
    /// Whether the address is in it; IPv4 counts as such also where it comes mapped into IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => first.to_bits() == address.to_bits() & self.mask_v4(),
            (IpAddr::V6(first), IpAddr::V6(address)) => first.to_bits() == address.to_bits() & self.mask_v6(),
            _ => false,
        }
    }

    fn mask_v4(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0)
    }

    fn mask_v6(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.prefix_bits)).unwrap_or(0)
    }

    /// IPv4 that is written as IPv6 is IPv4, as it is where it is asked for.
    fn canonical(self) -> Network {
        const MAPPED_BITS: u8 = 96;
        match (self.first, self.first.to_canonical()) {
            (IpAddr::V6(_), first @ IpAddr::V4(_)) if self.prefix_bits >= MAPPED_BITS => {
                Network { first, prefix_bits: self.prefix_bits - MAPPED_BITS }
            }
            _ => self,
        }
    }

    fn at_its_first(self) -> Network {
        let first = match self.first {
            IpAddr::V4(address) => IpAddr::V4((address.to_bits() & self.mask_v4()).into()),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & self.mask_v6()).into()),
        };
        Network { first, ..self }
    }
}

/// Whether one of the networks has the address.
pub fn any_contains(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// One household's address: IPv4 as it is, of IPv6 the /64 within which a client takes whichever address it likes.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let first: IpAddr = address.parse().map_err(|_| NetworkError::Address(address.to_owned()))?;
        let bits_max = if first.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => bits_max,
            Some(prefix) => prefix
                .parse()
                .ok()
                // `parse` would also take a sign.
                .filter(|bits| *bits <= bits_max && prefix.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| NetworkError::Prefix(prefix.to_owned()))?,
        };
        let network = Network { first, prefix_bits };
        let meant = network.at_its_first();
        if meant == network { Ok(network.canonical()) } else { Err(NetworkError::Beyond(meant)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first {
            first if self.prefix_bits == if first.is_ipv4() { 32 } else { 128 } => write!(f, "{first}"),
            first => write!(f, "{first}/{}", self.prefix_bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_with_its_prefix() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.0/31", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(contains(network, inside), "{inside} is in {network}");
            assert!(!contains(network, outside), "{outside} is not in {network}");
        }
    }

    #[test]
    fn ipv4_that_comes_as_ipv6_is_ipv4() {
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.1"));
        for network in ["::ffff:192.0.2.0/120", "::ffff:192.0.2.1", "::ffff:0:0/96"] {
            assert!(contains(network, "192.0.2.1") && contains(network, "::ffff:192.0.2.1"), "{network}");
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        let error = |text: &str| text.parse::<Network>().unwrap_err().to_string();
        assert_eq!(error("example.org"), "`example.org` is not an address");
        assert_eq!(error("192.0.2.0/33"), "`33` is not a length of its prefix");
        assert_eq!(error("192.0.2.0/+8"), "`+8` is not a length of its prefix");
        assert_eq!(error("2001:db8::/"), "`` is not a length of its prefix");
        assert_eq!(error("192.0.2.7/24"), "the network with this address is 192.0.2.0/24");
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn one_household_is_an_ipv4_address_or_a_64() {
        let household = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(household("192.0.2.7"), "192.0.2.7");
        assert_eq!(household("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(household("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
