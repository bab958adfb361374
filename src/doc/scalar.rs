//! What a plain word of YAML 1.2 (core schema) stands for.

use crate::plan::Data;

/// A number that cannot be kept exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) &'static str);

/// Reads a plain scalar. `yes`, `no`, `on` and `off` are text.
pub(super) fn plain(text: &str) -> Result<Data, Unfit> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => match number(text)? {
            Some(number) => number,
            None => Data::Text(text.into()),
        },
    })
}

fn number(text: &str) -> Result<Option<Data>, Unfit> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned.to_ascii_lowercase().as_str() {
        ".inf" | ".nan" => return Err(Unfit("is not a finite number")),
        _ if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => return Ok(None),
        _ => {}
    }
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(rest) = text.strip_prefix(prefix).filter(|rest| digits(rest, radix)) {
            let number = i64::from_str_radix(rest, radix).map_err(|_| Unfit("is too large a number"))?;
            return Ok(Some(Data::Integer(number)));
        }
    }
    if digits(unsigned, 10) {
        let number = text.parse().map_err(|_| Unfit("is too large a number"))?;
        return Ok(Some(Data::Integer(number)));
    }
    if !is_float(unsigned) {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(Data::Float(number))),
        _ => Err(Unfit("is too large a number")),
    }
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fits =
        all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    mantissa_fits
        && exponent.is_none_or(|exponent| {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !digits.is_empty() && all_digits(digits)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_those_of_yaml_1_2() {
        let text = |t: &str| Ok(Data::Text(t.into()));
        for (source, expected) in [
            ("no", text("no")),
            ("on", text("on")),
            ("1m", text("1m")),
            ("12:30", text("12:30")),
            ("1.2.3", text("1.2.3")),
            ("-", text("-")),
            (".", text(".")),
            ("1e", text("1e")),
            ("0x", text("0x")),
            ("~", Ok(Data::Null)),
            ("True", Ok(Data::Bool(true))),
            ("010", Ok(Data::Integer(10))),
            ("0o17", Ok(Data::Integer(15))),
            ("0xff", Ok(Data::Integer(255))),
            ("-7", Ok(Data::Integer(-7))),
            ("1.", Ok(Data::Float(1.0))),
            (".5", Ok(Data::Float(0.5))),
            ("-2e3", Ok(Data::Float(-2000.0))),
            (".inf", Err(Unfit("is not a finite number"))),
            ("99999999999999999999", Err(Unfit("is too large a number"))),
            ("1e999", Err(Unfit("is too large a number"))),
        ] {
            assert_eq!(plain(source), expected, "{source}");
        }
    }
}
