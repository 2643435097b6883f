//! Several values in one argument, one a line: what a variable, or an input of the Action, has in place of a flag that
//! is repeated.

use std::str::FromStr;

/// The values of one argument. YAML's block scalars end with a line end, so empty lines count for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines<T>(Vec<T>);

impl<T: FromStr> FromStr for Lines<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        // An argument that is nothing but empty is a mistake, and the value's own parser says which.
        if text.trim().is_empty() {
            return text.parse().map(|value| Self(vec![value]));
        }
        lines.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The values of all arguments, in their order.
pub fn all<T: Clone>(arguments: &[Lines<T>]) -> Vec<T> {
    arguments.iter().flat_map(|lines| lines.0.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_line() {
        let lines = |text: &str| text.parse::<Lines<u8>>();
        assert_eq!(lines("1").map(|lines| lines.0), Ok(vec![1]));
        assert_eq!(lines(" 1 \n\n2\r\n3\n").map(|lines| lines.0), Ok(vec![1, 2, 3]));
        for wrong in ["", "\n", "1\nx"] {
            assert!(lines(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(all(&[Lines(vec![1, 2]), Lines(vec![3])]), [1, 2, 3]);
    }
}
