//! Values of expressions and GitHub's rules for turning one kind into another.
//!
//! Source of the rules: GitHub docs, "Evaluate expressions in workflows and actions".

use std::cmp::Ordering;

use serde_json::{Map, Number, Value as Json};

/// What an expression evaluates to. JSON alone would not do: it has neither NaN nor infinity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(value) => Self::Number(value.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(map) => {
                Self::Object(map.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}

impl Value {
    /// As JSON; whole numbers have no fraction, NaN and the infinities become null.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(value) => json_number(*value),
            Self::Text(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Object(entries) => Json::Object(
                entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    pub(crate) fn truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::List(_) | Self::Object(_) => true,
        }
    }

    pub(crate) fn is_primitive(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_))
    }

    /// As text, the way it appears in a string.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => format_number(*value),
            Self::Text(text) => text.clone(),
            Self::List(_) => "Array".to_owned(),
            Self::Object(_) => "Object".to_owned(),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(value) => *value,
            Self::Text(text) => parse_number(text),
            Self::List(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// `==`: text without regard to case, different kinds as numbers. Lists and objects are equal only to
    /// themselves at GitHub, and two values here are never known to be the same one.
    pub(crate) fn loosely_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => fold(a) == fold(b),
            (Self::List(_) | Self::Object(_), _) | (_, Self::List(_) | Self::Object(_)) => false,
            (a, b) => {
                let (a, b) = (a.number(), b.number());
                a.partial_cmp(&b) == Some(Ordering::Equal)
            }
        }
    }

    /// `<`, `>` and their kin; `None` where neither holds.
    pub(crate) fn loosely_compared(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(fold(a).cmp(&fold(b))),
            (a, b) => a.number().partial_cmp(&b.number()),
        }
    }

    /// A member of an object, or an element of a list; what is not there is null.
    pub(crate) fn member(&self, index: &Self) -> Option<&Self> {
        match self {
            Self::Object(entries) => {
                let name = index.is_primitive().then(|| index.text())?;
                entries
                    .iter()
                    .find(|(key, _)| *key == name)
                    .or_else(|| {
                        let name = fold(&name);
                        entries.iter().find(|(key, _)| fold(key) == name)
                    })
                    .map(|(_, value)| value)
            }
            Self::List(items) => {
                let position = index.number().floor();
                if !(0.0..4_294_967_296.0).contains(&position) {
                    return None;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the range was checked and the fraction dropped"
                )]
                items.get(position as usize)
            }
            _ => None,
        }
    }
}

/// Upper case, the way GitHub compares: all but the dotless i, which stays.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(|c| if c == 'ı' { vec![c] } else { c.to_uppercase().collect() }).collect()
}

/// A number as text: no fraction where there is none, fifteen places at most.
pub(crate) fn format_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        // Minus zero too.
        return "0".to_owned();
    }
    let rounded: f64 = format!("{value:.15}").parse().unwrap_or(value);
    rounded.to_string()
}

fn json_number(value: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers that fit get there")]
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        return Json::Number(Number::from(value as i64));
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    // The standard library also reads `inf` and `nan`, GitHub does not.
    if let Some(value) = text.parse::<f64>().ok().filter(|value| value.is_finite()) {
        return value;
    }
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix).filter(|digits| !digits.starts_with('+'))?;
        // 32 bits with sign: 0xffffffff is -1.
        Some(u32::from_str_radix(digits, radix).map_or(f64::NAN, |value| f64::from(value.cast_signed())))
    };
    if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return value;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match (unsigned.eq_ignore_ascii_case("infinity"), text.starts_with('-')) {
        (true, true) => f64::NEG_INFINITY,
        (true, false) => f64::INFINITY,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_github_reads_them() {
        for (text, expected) in [
            ("", 0.0),
            (" 42 ", 42.0),
            ("0xff", 255.0),
            ("0xffffffff", -1.0),
            ("0o17", 15.0),
            ("1e3", 1000.0),
        ] {
            assert!((parse_number(text) - expected).abs() < f64::EPSILON, "{text}");
        }
        for text in ["inf", "nan", "abc", "1 2", "0x"] {
            assert!(parse_number(text).is_nan(), "{text}");
        }
        assert!(parse_number("-Infinity").is_infinite());
    }

    #[test]
    fn numbers_are_written_without_needless_digits() {
        for (value, expected) in
            [(1.0, "1"), (1.10, "1.1"), (-0.0, "0"), (0.1 + 0.2, "0.3"), (12_345_678_901.0, "12345678901")]
        {
            assert_eq!(format_number(value), expected);
        }
    }
}
