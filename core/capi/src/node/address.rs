//! Addresses as dqlite spells them.

use std::io;
use std::net::{IpAddr, SocketAddr};

use dqlite_env::Bound;

/// The port of an address without one.
const PORT: u16 = 8080;

/// Binds to `host`, `host:port`, `[host]:port` or `@name`.
pub(super) fn bind(address: &str) -> io::Result<Bound> {
    match address.strip_prefix('@') {
        Some(name) => Bound::abstract_unix(name),
        None => Bound::tcp(parse(address).ok_or_else(|| {
            let reason = format!("{address:?} is not a numeric address, with or without a port");
            io::Error::new(io::ErrorKind::InvalidInput, reason)
        })?),
    }
}

/// A numeric address, with or without a port.
pub(super) fn parse(address: &str) -> Option<SocketAddr> {
    let with_port = address.parse().ok();
    with_port.or_else(|| Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, PORT)))
}

/// The address as the network dials it: with a port.
pub(super) fn to_dial(address: &str) -> String {
    if let Some(numeric) = parse(address) {
        return numeric.to_string();
    }
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let is_path = address.starts_with('@') || address.contains('/');
    if has_port || is_path { address.to_owned() } else { format!("{address}:{PORT}") }
}

/// The address as it was given, with the port or the name that the system found.
pub(super) fn told(given: &str, bound: &Bound) -> String {
    let port_was_chosen = parse(given).is_some_and(|it| it.port() == 0);
    let keeps = !given.starts_with('@') && !port_was_chosen;
    if keeps { given.to_owned() } else { bound.address().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_8080_unless_given() {
        let parsed = |text: &str| parse(text).map(|it| it.to_string());
        assert_eq!(parsed("127.0.0.1").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(parsed("127.0.0.1:9001").as_deref(), Some("127.0.0.1:9001"));
        assert_eq!(parsed("::1").as_deref(), Some("[::1]:8080"));
        assert_eq!(parsed("[::1]:9001").as_deref(), Some("[::1]:9001"));
        for wrong in ["", "1", "localhost", "127.0.0.1:", "127.0.0.1:65536", "[::1]"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
        assert_eq!(to_dial("10.0.0.1"), "10.0.0.1:8080");
        assert_eq!(to_dial("node-1"), "node-1:8080");
        assert_eq!(to_dial("node-1:9001"), "node-1:9001");
        assert_eq!(to_dial("@abstract"), "@abstract");
    }

    #[test]
    fn an_address_is_told_as_it_was_given_unless_the_system_chose() {
        let free = bind("127.0.0.1:0").unwrap();
        assert_eq!(told("127.0.0.1:0", &free), free.address());
        assert!(!free.address().ends_with(":0"));
        let name = bind("@").unwrap();
        assert_eq!(told("@", &name), name.address());
        assert!(name.address().len() > 1);
        assert_eq!(told(free.address(), &free), free.address());
        assert!(bind("nowhere").is_err());
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let in_use = listening.local_addr().unwrap().to_string();
        assert!(bind(&in_use).is_err());
    }
}
