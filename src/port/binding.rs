//! Service bindings (RFC 9460): what a value says, and the one form in which values are compared. Who writes one may quote and
//! escape as they like, and name its keys in any order and by their numbers (section 2.1).
//!
//! A byte of a parameter is escaped in decimal (RFC 1035, section 5.1). Route 53 says of names and of texts (TXT) alone that they are
//! escaped in octal, so only the target is read so.
//!
//! Not here: what a key means to whoever goes by it.

use super::dns::Name;
use data_encoding::BASE64;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Names of keys, by their numbers: section 14.3.2, RFC 9461 and RFC 9540.
const NAMES: [&str; 9] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
/// Keys from here on are told by their numbers, and their values as they are on the wire.
const NUMBERED: u16 = 7;

/// A service binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// With 0 it is an alias of its target.
    pub priority: u16,
    /// The root (`.`) stands for the name that has it.
    pub target: Name,
    /// By the numbers of their keys, as they are on the wire.
    pub params: BTreeMap<u16, Vec<u8>>,
}

impl Binding {
    /// Reads one; `None`: it cannot be put on the wire, or has a key by a name that is not known here.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut words = words(text);
        let priority = words.next()?.parse().ok()?;
        let target = Name::new(words.next()?);
        let mut params = BTreeMap::new();
        for word in words {
            let (key, wire) = read_param(word)?;
            if params.insert(key, wire).is_some() {
                return None;
            }
        }
        Some(Self { priority, target, params })
    }
}

impl fmt::Display for Binding {
    /// `1 . alpn=h2,h3 port=8443 key65280=a\"b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = if self.target.as_str().is_empty() { "." } else { self.target.as_str() };
        write!(f, "{} {target}", self.priority)?;
        self.params.iter().try_for_each(|(key, wire)| write!(f, " {}", param(*key, wire)))
    }
}

/// A value in the form in which it is compared; what is no service binding stays as it is.
#[must_use]
pub fn service_binding(value: &str) -> String {
    match Binding::read(value) {
        Some(binding) => binding.to_string(),
        None => value.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// What white space parts, unless it is quoted or escaped.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c: char| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match c {
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c.is_whitespace() && !quoted
    });
    parts.filter(|word| !word.is_empty())
}

/// The number of a parameter's key, and its value as it is on the wire.
fn read_param(word: &str) -> Option<(u16, Vec<u8>)> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    let (key, value) = (key.to_ascii_lowercase(), characters(value)?);
    let number = number(&key)?;
    let wire = if NAMES.contains(&&*key) { on_wire(number, value)? } else { value };
    Some((number, wire))
}

/// The number of a key: by its name, as `key65280`, or as `unknown9`, which is in journals of earlier versions.
fn number(key: &str) -> Option<u16> {
    if let Some(place) = NAMES.iter().position(|name| *name == key) {
        return u16::try_from(place).ok();
    }
    let digits = key.strip_prefix("key").or_else(|| key.strip_prefix("unknown"))?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a key is called.
fn name(key: u16) -> String {
    match NAMES.get(usize::from(key)) {
        Some(name) if key < NUMBERED => (*name).to_owned(),
        _ => format!("key{key}"),
    }
}

/// The bytes of a character string (appendix A).
fn characters(text: &str) -> Option<Vec<u8>> {
    let text = match text.strip_prefix('"') {
        // Journals of earlier versions have a comma after some.
        Some(quoted) => quoted.trim_end_matches(',').strip_suffix('"')?,
        None => text,
    };
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'\\' => unescaped(after)?,
            b'"' => return None,
            plain => (*plain, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Some(bytes)
}

/// The byte that an escape stands for, and what comes after it; `text` comes after its backslash.
fn unescaped(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [a @ b'0'..=b'2', b @ b'0'..=b'9', c @ b'0'..=b'9', after @ ..] => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            let code = digit(a) * 100 + digit(b) * 10 + digit(c);
            Some((u8::try_from(code).ok()?, after))
        }
        [b'0'..=b'9', ..] | [] => None,
        [byte, after @ ..] => Some((*byte, after)),
    }
}

/// A character string of these bytes, without quotes.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match *byte {
            special @ (b'"' | b'(' | b')' | b';' | b'\\') => {
                out.push('\\');
                out.push(char::from(special));
            }
            plain @ b'!'..=b'~' => out.push(char::from(plain)),
            other => {
                let _ = write!(out, "\\{other:03}");
            }
        }
    }
    out
}

/// The items of a list (appendix A.1); an empty one is none.
fn items(list: &[u8]) -> Vec<Vec<u8>> {
    let (mut items, mut item, mut escaped) = (Vec::new(), Vec::new(), false);
    for byte in list {
        let is_literal = std::mem::take(&mut escaped);
        match *byte {
            b'\\' if !is_literal => escaped = true,
            b',' if !is_literal => items.push(std::mem::take(&mut item)),
            other => item.push(other),
        }
    }
    items.push(item);
    items.retain(|item| !item.is_empty());
    items
}

/// The value of a key that has a name, as it is on the wire.
fn on_wire(key: u16, value: Vec<u8>) -> Option<Vec<u8>> {
    let texts =
        || items(&value).into_iter().map(|item| String::from_utf8(item).ok()).collect::<Option<Vec<_>>>();
    let some = |wire: Vec<u8>| (!wire.is_empty()).then_some(wire);
    match key {
        MANDATORY => {
            let keys: Option<BTreeSet<u16>> = texts()?.iter().map(|key| number(key)).collect();
            some(keys?.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        ALPN => {
            let mut wire = Vec::new();
            for id in items(&value) {
                wire.push(u8::try_from(id.len()).ok()?);
                wire.extend(id);
            }
            some(wire)
        }
        PORT => {
            let port: u16 = std::str::from_utf8(&value).ok()?.parse().ok()?;
            Some(port.to_be_bytes().to_vec())
        }
        IPV4HINT => {
            let ip = |text: &String| Some(text.parse::<Ipv4Addr>().ok()?.octets());
            some(texts()?.iter().map(ip).collect::<Option<Vec<_>>>()?.concat())
        }
        IPV6HINT => {
            let ip = |text: &String| Some(text.parse::<Ipv6Addr>().ok()?.octets());
            some(texts()?.iter().map(ip).collect::<Option<Vec<_>>>()?.concat())
        }
        ECH => BASE64.decode(&value).ok(),
        _ => Some(value),
    }
}

/// A parameter as it is written: by its name, if its value is one that fits that.
fn param(key: u16, wire: &[u8]) -> String {
    let by_name = match key {
        MANDATORY => list(wire, |key: [u8; 2]| name(u16::from_be_bytes(key))),
        ALPN => ids(wire),
        NO_DEFAULT_ALPN => wire.is_empty().then(String::new),
        PORT => <[u8; 2]>::try_from(wire).ok().map(|port| u16::from_be_bytes(port).to_string()),
        IPV4HINT => list(wire, |ip: [u8; 4]| Ipv4Addr::from(ip).to_string()),
        ECH => Some(BASE64.encode(wire)),
        IPV6HINT => list(wire, |ip: [u8; 16]| Ipv6Addr::from(ip).to_string()),
        _ => None,
    };
    let (key, value) = match by_name {
        Some(value) => (name(key), value),
        None => (format!("key{key}"), escaped(wire)),
    };
    if value.is_empty() { key } else { format!("{key}={value}") }
}

/// A list of parts of one length; at least one.
fn list<const N: usize>(wire: &[u8], text: impl Fn([u8; N]) -> String) -> Option<String> {
    let (parts, rest) = wire.as_chunks::<N>();
    let texts: Vec<String> = parts.iter().map(|part| text(*part)).collect();
    (rest.is_empty() && !texts.is_empty()).then(|| texts.join(","))
}

/// A list of parts that each tell their length; at least one, and none of them empty.
fn ids(mut wire: &[u8]) -> Option<String> {
    let mut list = Vec::new();
    while let Some((length, rest)) = wire.split_first() {
        let (id, rest) = rest.split_at_checked(usize::from(*length)).filter(|(id, _)| !id.is_empty())?;
        if !list.is_empty() {
            list.push(b',');
        }
        for byte in id {
            if matches!(*byte, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(*byte);
        }
        wire = rest;
    }
    (!list.is_empty()).then(|| escaped(&list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::inputs;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    #[test]
    fn a_service_binding_has_one_form() {
        let one = "1 . alpn=h2,h3 no-default-alpn ipv4hint=192.0.2.1";
        for value in [
            one,
            "1 . ipv4hint=192.0.2.1  alpn=\"h2,h3\" no-default-alpn",
            "1 . alpn=h2,h3, no-default-alpn= ipv4hint=192.0.2.1,",
            r"01 . key1=\002h2\002h3 key2 key4=\192\000\002\001",
        ] {
            assert_eq!(service_binding(value), one, "{value}");
        }
        for (value, form) in [
            ("", ""),
            ("0 Svc.Example.COM.", "0 svc.example.com"),
            // In octal a name, in decimal a parameter.
            (r"1 \052.example.com. key65280=\052\042", "1 *.example.com key65280=4*"),
            ("1 . ipv6hint=2001:DB8:0::1,fd00::0:2", "1 . ipv6hint=2001:db8::1,fd00::2"),
            ("1 . mandatory=port,alpn port=8443 alpn=h2", "1 . mandatory=alpn,port alpn=h2 port=8443"),
            ("1 . ech=\"AEg=\"", "1 . ech=AEg="),
            ("1 . dohpath=/dns-query{?dns} ohttp", "1 . key7=/dns-query{?dns} key8"),
            // In journals of earlier versions.
            ("1 . unknown7=\"/dns-query{?dns}\",", "1 . key7=/dns-query{?dns}"),
            ("1 . unknown7=/dns-query{?dns}", "1 . key7=/dns-query{?dns}"),
            (r#"1 . key65280="a b;\"\255""#, r#"1 . key65280=a\032b\;\"\255"#),
        ] {
            assert_eq!(service_binding(value), form, "{value}");
        }
    }

    /// The values of RFC 9460, appendix D.
    #[test]
    fn the_values_of_the_standard_are_read_as_it_says() {
        for (value, form) in [
            ("16 foo.example.com. port=53", "16 foo.example.com port=53"),
            ("1 foo.example.com. key667=hello", "1 foo.example.com key667=hello"),
            (r#"1 foo.example.com. key667="hello\210qoo""#, r"1 foo.example.com key667=hello\210qoo"),
            (
                "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
                "1 foo.example.com ipv6hint=2001:db8::1,2001:db8::53:1",
            ),
            (
                "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
                "16 foo.example.org mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1",
            ),
            (r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#, r"16 foo.example.org alpn=f\\\\oo\\,bar,h2"),
            (r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2", r"16 foo.example.org alpn=f\\\\oo\\,bar,h2"),
        ] {
            assert_eq!(service_binding(value), form, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_put_on_the_wire_is_no_service_binding() {
        for value in [
            "h2",
            "1",
            "65536 .",
            "1 . port=65536",
            "1 . port",
            "1 . alpn=",
            "1 . alpn=h2 alpn=h3",
            "1 . alpn=h2 key1=h3",
            "1 . ipv4hint=fd00::1",
            "1 . mandatory=what",
            "1 . ech=?",
            "1 . what=ever",
            "1 . key65536",
            "1 . key+7",
            "1 . key7=\"open",
            r"1 . key7=\300",
            r"1 . key7=\12",
        ] {
            assert_eq!(Binding::read(value), None, "{value}");
            assert_eq!(service_binding(value), value);
        }
    }

    proptest! {
        #![proptest_config(inputs())]

        #[test]
        fn its_form_is_found_once(words in vec(select(vec!["1", ".", "x.example.", "alpn=h2", "ALPN=\"h3\"", "port=8443", "=", "\""]), 0..6)) {
            let once = service_binding(&words.join(" "));
            prop_assert_eq!(service_binding(&once), once);
        }

        #[test]
        fn the_order_of_keys_means_nothing(keys in subsequence(vec!["alpn=h2", "port=8443", "ipv4hint=192.0.2.1", "ech=AEg="], 0..=4)) {
            let mut turned = keys.clone();
            turned.reverse();
            let told = |keys: &[&str]| service_binding(&format!("1 . {}", keys.join(" ")));
            prop_assert_eq!(told(&keys), told(&turned));
        }

        #[test]
        fn whatever_is_on_the_wire_is_read_back_from_its_form(params in btree_map(select(vec![1, 2, 3, 4, 5, 6, 7, 9, 65280u16]), vec(any::<u8>(), 0..9), 0..5)) {
            let binding = Binding { priority: 1, target: Name::new("x.example"), params };
            prop_assert_eq!(Binding::read(&binding.to_string()), Some(binding));
        }
    }
}
