//! Hides secrets in logs.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The values that no log line may show. Grows while the job runs (`::add-mask::`).
#[derive(Default)]
pub(crate) struct Masks(Mutex<Vec<String>>);

impl Masks {
    pub(crate) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let masks = Self::default();
        for value in values {
            masks.add(&value);
        }
        masks
    }

    /// Hides a value from now on; of a value with several lines each line, because logs are made of lines.
    pub(crate) fn add(&self, value: &str) {
        let mut masks = self.lock();
        for line in value.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !masks.iter().any(|mask| mask == line) {
                masks.push(line.to_owned());
            }
        }
        // The longest first: a short one inside a long one must not leave the rest of it.
        masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
    }

    /// The text with every value replaced by `***`.
    pub(crate) fn apply(&self, text: &str) -> String {
        let masks = self.lock();
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        'text: while let Some(first) = rest.chars().next() {
            for mask in masks.iter() {
                if let Some(after) = rest.strip_prefix(mask.as_str()) {
                    out.push_str("***");
                    rest = after;
                    continue 'text;
                }
            }
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
        out
    }

    /// Whether the text holds a value.
    pub(crate) fn hit(&self, text: &str) -> bool {
        self.lock().iter().any(|mask| text.contains(mask.as_str()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic while adding leaves a list that is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_value_is_hidden_and_the_longest_wins() {
        let masks = Masks::new(["abc".to_owned(), "abcdef".to_owned(), "first\n\nsecond\n".to_owned()]);
        assert_eq!(masks.apply("xabcdefx abcx"), "x***x ***x");
        assert_eq!(masks.apply("the first, the second"), "the ***, the ***");
        assert_eq!(masks.apply("ärger"), "ärger");
        assert!(masks.hit("a second"));
        assert!(!masks.hit("nothing"));
    }
}
