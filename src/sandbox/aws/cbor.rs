//! As much CBOR (RFC 8949) as Smithy's RPC protocol needs, to and from JSON. A time is `{"$time": seconds}` on the way out,
//! and plain seconds on the way in.

use serde_json::{Map, Number, Value as Json};

/// How deep values may be nested.
const DEPTH: usize = 32;

/// The key that marks a time.
pub(super) const TIME: &str = "$time";

/// Reads one value.
pub(super) fn decode(bytes: &[u8]) -> Option<Json> {
    let mut reader = Reader { bytes, at: 0 };
    reader.value(0)
}

/// What a head says besides its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    Is(u64),
    /// Goes on until a break.
    Open,
}

impl Argument {
    fn number(self) -> Option<u64> {
        match self {
            Self::Is(number) => Some(number),
            Self::Open => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(count)?;
        let found = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(found)
    }

    /// The argument of a head.
    fn argument(&mut self, low: u8) -> Option<Argument> {
        let wide = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
        Some(match low {
            0..=23 => Argument::Is(u64::from(low)),
            24..=27 => Argument::Is(wide(self.take(1 << (low - 24))?)),
            31 => Argument::Open,
            _ => return None,
        })
    }

    fn at_break(&mut self) -> bool {
        let ends = self.bytes.get(self.at) == Some(&0xff);
        self.at += usize::from(ends);
        ends
    }

    /// Whether there are more items after so many.
    fn more(&mut self, argument: Argument, count: u64) -> bool {
        argument.number().map_or_else(|| !self.at_break(), |all| count < all)
    }

    fn text(&mut self, length: Argument) -> Option<Vec<u8>> {
        if let Argument::Is(length) = length {
            return self.take(usize::try_from(length).ok()?).map(<[u8]>::to_vec);
        }
        let mut all = Vec::new();
        while !self.at_break() {
            let low = self.take(1)?[0] & 0x1f;
            let length = self.argument(low)?.number()?;
            all.extend(self.take(usize::try_from(length).ok()?)?);
        }
        Some(all)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let head = self.take(1)?[0];
        if depth > DEPTH {
            return None;
        }
        if head >> 5 == 7 {
            return self.simple(head & 0x1f);
        }
        let argument = self.argument(head & 0x1f)?;
        Some(match head >> 5 {
            0 => argument.number()?.into(),
            1 => i64::try_from(argument.number()?).ok()?.checked_neg()?.checked_sub(1)?.into(),
            2 | 3 => String::from_utf8(self.text(argument)?).ok()?.into(),
            4 => {
                let mut list = Vec::new();
                while self.more(argument, list.len() as u64) {
                    list.push(self.value(depth + 1)?);
                }
                list.into()
            }
            5 => {
                let mut map = Map::new();
                let mut count = 0;
                while self.more(argument, count) {
                    let key = self.value(depth + 1)?.as_str()?.to_owned();
                    map.insert(key, self.value(depth + 1)?);
                    count += 1;
                }
                map.into()
            }
            // A tag says what the value after it means: here always a time.
            _ => self.value(depth + 1)?,
        })
    }

    fn simple(&mut self, low: u8) -> Option<Json> {
        Some(match low {
            20 => false.into(),
            21 => true.into(),
            22 | 23 => Json::Null,
            26 => f64::from(f32::from_be_bytes(self.take(4)?.try_into().ok()?)).into(),
            27 => f64::from_be_bytes(self.take(8)?.try_into().ok()?).into(),
            _ => return None,
        })
    }
}

/// Writes a value.
pub(super) fn encode(value: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match u8::try_from(argument) {
        Ok(small @ 0..=23) => out.push(major | small),
        Ok(byte) => out.extend([major | 0x18, byte]),
        Err(_) => {
            out.push(major | 0x1b);
            out.extend(argument.to_be_bytes());
        }
    }
}

fn write(out: &mut Vec<u8>, value: &Json) {
    match value {
        Json::Null => out.push(0xf6),
        Json::Bool(yes) => out.push(if *yes { 0xf5 } else { 0xf4 }),
        Json::Number(number) => write_number(out, number),
        Json::String(text) => {
            head(out, 3, text.len() as u64);
            out.extend(text.as_bytes());
        }
        Json::Array(list) => {
            head(out, 4, list.len() as u64);
            for item in list {
                write(out, item);
            }
        }
        Json::Object(map) => {
            if let Some(seconds) = map.get(TIME) {
                head(out, 6, 1);
                return write(out, seconds);
            }
            head(out, 5, map.len() as u64);
            for (key, item) in map {
                head(out, 3, key.len() as u64);
                out.extend(key.as_bytes());
                write(out, item);
            }
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    if let Some(whole) = number.as_u64() {
        head(out, 0, whole);
    } else if let Some(whole) = number.as_i64() {
        head(out, 1, whole.unsigned_abs() - 1);
    } else {
        out.push(0xfb);
        out.extend(number.as_f64().unwrap_or_default().to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::inputs;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    fn values() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            (-1e300..1e300).prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Json::from),
                btree_map("[a-z]{0,6}", inner, 0..5).prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(inputs())]

        #[test]
        fn any_value_is_read_as_it_was_written(value in values()) {
            prop_assert_eq!(decode(&encode(&value)), Some(value));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in vec(any::<u8>(), 0..64), value in values(), at in any::<usize>(), byte: u8) {
            let _ = decode(&bytes);
            let mut changed = encode(&value);
            let at = at % changed.len();
            changed[at] = byte;
            let _ = (decode(&changed), decode(&changed[..at]));
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value = json!({"a": [1, 300, -5, 1.5, true, null, "text"], "b": {"c": "x".repeat(300)}});
        assert_eq!(decode(&encode(&value)), Some(value));
    }

    #[test]
    fn indefinite_lengths_and_times_are_read() {
        // {_ "a": [_ 1], "t": 1(1000)}
        let bytes = [0xbf, 0x61, b'a', 0x9f, 1, 0xff, 0x61, b't', 0xc1, 0x19, 0x03, 0xe8, 0xff];
        assert_eq!(decode(&bytes), Some(json!({"a": [1], "t": 1000})));
        assert_eq!(encode(&json!({"$time": 1000})), [0xc1, 0x1b, 0, 0, 0, 0, 0, 0, 0x03, 0xe8]);
    }

    #[test]
    fn nonsense_is_no_value() {
        for bytes in
            [&[][..], &[0x61], &[0xbf], &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x81; 99]]
        {
            assert_eq!(decode(bytes), None);
        }
    }
}
