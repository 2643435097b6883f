//! What is wrong with the text of a fault.

use super::catalogue::catalogue;

/// A text that is no fault, with what it should have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("there is no fault `{name}`; {}", suggestion(name))]
    Unknown {
        /// The name.
        name: String,
    },
    /// An argument is missing.
    #[error("`{name}` needs {what}: write {}", form(name))]
    Missing {
        /// The fault's name.
        name: &'static str,
        /// The argument.
        what: &'static str,
    },
    /// An argument is not what it should be.
    #[error("`{name}` cannot take `{argument}`: {wanted}")]
    Argument {
        /// The fault's name.
        name: &'static str,
        /// The argument.
        argument: String,
        /// What would do.
        wanted: String,
    },
    /// There are more arguments than the fault takes.
    #[error("`{name}` takes no further `{argument}`: write {}", form(name))]
    Surplus {
        /// The fault's name.
        name: &'static str,
        /// The first argument too many.
        argument: String,
    },
    /// What follows the arguments is not `*COUNT`, `@PROBABILITY` and `+SKIP`, each once.
    #[error("`{text}` does not say how often: {problem}")]
    When {
        /// What follows the arguments.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// `seed=` is not followed by a number.
    #[error("`{text}` is no seed: write seed=NUMBER, with a number from 0 to {}", u64::MAX)]
    Seed {
        /// The whole word.
        text: String,
    },
}

fn form(name: &str) -> &'static str {
    catalogue().iter().find(|entry| entry.name == name).map_or("", |entry| entry.form)
}

/// The most similar name, or all of them.
fn suggestion(name: &str) -> String {
    let nearest = catalogue()
        .iter()
        .map(|entry| (distance(name, entry.name), entry.name))
        .filter(|(distance, known)| *distance <= 3 || known.contains(name) && !name.is_empty())
        .min();
    if let Some((_, known)) = nearest {
        return format!("did you mean `{known}`?");
    }
    let names: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
    format!("there are {}", names.join(", "))
}

/// How many letters must be added, taken away or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
