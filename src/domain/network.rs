//! Networks of addresses: a range that a configuration names, and the one that a client counts as part of.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many leading bits tell one IPv6 customer's network from another's. One customer has 2^64 addresses in it.
const CUSTOMER: u8 = 64;
/// How many leading bits are a site's, or a whole small provider's.
const SITE: u8 = 48;
/// How many leading bits are the clothes of an IPv4 address that is written as one of IPv6.
const IN_CLOTHES: u8 = 96;

/// All addresses that share their first bits with one. An IPv4 address in IPv6's clothes is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or one address.
    ///
    /// # Errors
    ///
    /// What is wrong, to be put behind the name of what was read.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FAULT: &str = "must be an address, or a network such as 10.0.0.0/8 or fd00::/8";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| FAULT)?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| FAULT)?;
        let bits = bits.unwrap_or(length(address));
        if bits > length(address) {
            return Err(FAULT.to_owned());
        }
        // Such as ::ffff:10.0.0.0/104: no client is looked for in IPv6's clothes.
        let (address, bits) = match (address.to_canonical(), bits.checked_sub(IN_CLOTHES)) {
            (bare @ IpAddr::V4(_), Some(bits)) if address.is_ipv6() => (bare, bits),
            _ => (address, bits),
        };
        let network = Self::around(address, bits);
        if network.base == address {
            return Ok(network);
        }
        Err(format!("names an address inside of a network: write {network}"))
    }

    /// What one client has to itself: an IPv4 address, or an IPv6 network of 64 bits.
    #[must_use]
    pub fn of_client(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self::around(address, length(address)),
            address @ IpAddr::V6(_) => Self::around(address, CUSTOMER),
        }
    }

    /// The larger network that a client's may be one of thousands in; of IPv4 there is none.
    #[must_use]
    pub fn of_site(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(_) => None,
            address @ IpAddr::V6(_) => Some(Self::around(address, SITE)),
        }
    }

    fn around(address: IpAddr, bits: u8) -> Self {
        let base = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Self { base, bits }
    }

    /// Its first address.
    #[must_use]
    pub const fn base(self) -> IpAddr {
        self.base
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && Self::around(address, self.bits) == self
    }

    /// Reads what [`Network::to_bytes`] wrote; `None` where it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (address, bits) = bytes.split_first_chunk::<16>()?;
        let &[bits] = bits else { return None };
        let network = match bits.checked_sub(129) {
            Some(bits @ 0..=32) => {
                let (address, _) = address.split_first_chunk::<4>()?;
                Self::around(IpAddr::from(*address), bits)
            }
            None if bits <= 128 => Self::around(IpAddr::from(*address), bits),
            _ => return None,
        };
        (network.to_bytes() == *bytes).then_some(network)
    }

    /// Its first address and its length, as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        match self.base {
            IpAddr::V4(address) => bytes[..4].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => bytes[..16].copy_from_slice(&address.octets()),
        }
        // Of IPv4 the lengths follow those of IPv6, so that no two networks have the same bytes.
        bytes[16] = if self.base.is_ipv4() { 129 + self.bits } else { self.bits };
        bytes
    }
}

fn length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)?;
        if self.bits < length(self.base) { write!(f, "/{}", self.bits) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn bytes_of_a_network_are_read_back_and_others_are_refused() {
        for text in ["192.0.2.1", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/64", "2001:db8::1", "::/0"] {
            let network = Network::parse(text).unwrap();
            assert_eq!(Network::from_bytes(&network.to_bytes()), Some(network));
        }
        let mut wrong = Network::parse("192.0.2.1").unwrap().to_bytes();
        wrong[9] = 1;
        assert_eq!(Network::from_bytes(&wrong), None, "bytes behind an address of IPv4");
        wrong[9] = 0;
        wrong[16] = 255;
        assert_eq!(Network::from_bytes(&wrong), None, "a length that is none");
        assert_eq!(Network::from_bytes(&wrong[1..]), None);
    }

    #[test]
    fn networks_are_read_and_written_alike() {
        for text in ["10.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0", "fd00::/8"] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Network::parse("192.0.2.1/32"), Network::parse("192.0.2.1"));
        for text in ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/x", "localhost", "10.0.0.0/8/8"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
        assert!(Network::parse("10.1.0.0/8").unwrap_err().contains("write 10.0.0.0/8"));
    }

    #[test]
    fn an_address_lies_in_the_networks_that_share_its_first_bits() {
        let holds = |network: &str, inside: &str| Network::parse(network).unwrap().contains(address(inside));
        assert!(holds("10.0.0.0/8", "10.255.255.255"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(holds("::ffff:10.0.0.1", "10.0.0.1") && holds("::ffff:10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!holds("::ffff:10.0.0.1", "10.0.0.2"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(!holds("::/0", "10.0.0.1"), "each kind of address has networks of its own");
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::1"));
    }

    #[test]
    fn a_client_has_an_ipv4_address_or_an_ipv6_network_of_64_bits() {
        let of_client = |text| Network::of_client(address(text)).to_string();
        assert_eq!(of_client("192.0.2.1"), "192.0.2.1");
        assert_eq!(of_client("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of_client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(Network::of_site(address("2001:db8:1:2::5")).unwrap().to_string(), "2001:db8:1::/48");
        assert_eq!(Network::of_site(address("192.0.2.1")), None);
    }

    #[test]
    fn no_two_networks_have_the_same_bytes() {
        let bytes = |text| Network::parse(text).unwrap().to_bytes();
        let all = ["0.0.0.0", "0.0.0.0/0", "::", "::/0", "::/32", "::/48", "::/64", "0.0.0.0/16"].map(bytes);
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
        }
    }
}
