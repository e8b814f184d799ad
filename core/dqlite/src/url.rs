//! `dqlite://host:port,host:port/database?option=value`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::error::Error;
use crate::options::ConnectOptions;

const SCHEME: &str = "dqlite://";

/// What a URL says.
#[derive(Debug, PartialEq)]
pub(crate) struct Url {
    /// Where nodes may be.
    pub addresses: Vec<String>,
    /// The options, the database's name among them.
    pub options: ConnectOptions,
}

/// Whether `target` is meant as a URL.
pub(crate) fn is_url(target: &str) -> bool {
    let scheme = target.get(..SCHEME.len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

impl Url {
    /// # Errors
    /// `InterfaceError` that says what is wrong.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::new("target", format!("{url:?}: {reason}"));
        let rest = url.get(SCHEME.len()..).unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let decode = |text| decode(text).ok_or_else(|| wrong("what is escaped is not UTF-8"));
        let mut addresses = Vec::new();
        for host in hosts.split(',').filter(|host| !host.is_empty()) {
            let host = decode(host)?.into_owned();
            if !is_address(&host) {
                return Err(wrong(&format!("{host:?} is not host:port, nor @name of a socket")));
            }
            addresses.push(host);
        }
        if addresses.is_empty() {
            return Err(wrong("it names no node: dqlite://host:port/database"));
        }
        let mut options = ConnectOptions::default();
        if !path.is_empty() {
            options.database = Some(decode(path)?.into_owned());
        }
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| wrong(&format!("{pair:?} is not option=value")))?;
            let name = decode(name)?;
            let twice = seen.contains(&name) || (name == "database" && !path.is_empty());
            if twice {
                return Err(Error::new(
                    "option.repeated",
                    format!("{url:?}: it sets {name} twice"),
                ));
            }
            options.set(&name, &decode(value)?)?;
            seen.push(name);
        }
        Ok(Self { addresses, options })
    }
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

fn is_address(host: &str) -> bool {
    host.starts_with('@')
        || host.contains('/')
        || host.rsplit_once(':').is_some_and(|(name, port)| {
            !name.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Level;
    use std::time::Duration;

    #[test]
    fn a_url_names_nodes_a_database_and_options() {
        let url = "dqlite://a:9001,[::1]:9002,@socket/my%20app?timeout=2.5&consistency=stale";
        let parsed = Url::parse(url).unwrap();
        assert_eq!(parsed.addresses, ["a:9001", "[::1]:9002", "@socket"]);
        assert_eq!(parsed.options.database.as_deref(), Some("my app"));
        assert_eq!(parsed.options.timeout, Some(Duration::from_millis(2500)));
        assert_eq!(parsed.options.consistency, Some(Level::Stale));
        let socket = Url::parse("dqlite://%2Frun%2Fdqlite.sock/app").unwrap();
        assert_eq!(socket.addresses, ["/run/dqlite.sock"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, reason) in [
            ("dqlite://", "names no node"),
            ("dqlite:///app", "names no node"),
            ("dqlite://host/app", "host:port"),
            ("dqlite://host:0/app", "host:port"),
            ("dqlite://a:1/app?timeout", "option=value"),
            ("dqlite://a:1/app?timeout=1&timeout=2", "twice"),
            ("dqlite://a:1/app?database=b", "twice"),
            ("dqlite://a:1/app?tiemout=1", "there is no option"),
            ("dqlite://a:1/%ff", "not UTF-8"),
        ] {
            let error = Url::parse(url).unwrap_err();
            assert!(error.message().contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn a_path_is_no_url() {
        assert!(is_url("DQLITE://a:1/b") && !is_url("/var/lib/app") && !is_url("dqlite"));
    }
}
