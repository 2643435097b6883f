//! The hallmark: how a random text tells which stack it was made for.
//!
//! Stacks of one organisation share the list of its runners, and may share a bucket. The label of a start and
//! the nonce of its mailboxes are random; with a hallmark at their end `reap` knows its own stack's from
//! another's, long after the task that they were for is forgotten. It proves nothing to an enemy: whoever may
//! register a runner could make one. The randomness before it is what cannot be guessed.

use crate::ids::fnv1a;
use crate::stack::Stack;

/// Characters of random texts, five bits each: lower case, because GitHub compares labels without regard to
/// case, and none that looks like another.
pub const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many characters a hallmark has. One text in 2⁴⁰ bears it by chance.
const LENGTH: usize = 8;

/// What one stack puts at the end of its random texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hallmark {
    /// What no two stacks have in common.
    identity: String,
}

impl Hallmark {
    /// The hallmark of a stack. It changes with the stack's name, region, cluster and bucket.
    pub fn of(stack: &Stack) -> Self {
        // The cluster may be written as a name or as an ARN.
        let cluster = stack.cluster.rsplit('/').next().unwrap_or(&stack.cluster);
        let identity = [stack.name.as_str(), &stack.region, cluster, &stack.mailbox.bucket].join("/");
        Self { identity }
    }

    /// A random text with the hallmark at its end.
    pub fn stamp(&self, random: &str) -> String {
        format!("{random}{}", self.end_of(random))
    }

    /// Whether a text has this hallmark at its end.
    pub fn is_on(&self, text: &str) -> bool {
        let random = text.len().checked_sub(LENGTH).and_then(|at| text.split_at_checked(at));
        random.is_some_and(|(random, end)| self.end_of(random).eq_ignore_ascii_case(end))
    }

    fn end_of(&self, random: &str) -> String {
        // FNV-1a alone mixes the last bytes badly, so its bits are stirred once more (MurmurHash3's finalizer).
        let mut hash = fnv1a(format!("{}/{}", self.identity, random.to_ascii_lowercase()).as_bytes());
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        let letter = |place: usize| {
            let bits = (hash >> (5 * place)) & 31;
            char::from(ALPHABET[usize::try_from(bits).unwrap_or_default()])
        };
        (0..LENGTH).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stack(name: &str, cluster: &str, bucket: &str) -> Stack {
        let document = serde_json::json!({
            "version": 1, "name": name, "region": "eu-west-1", "cluster": cluster,
            "mailbox": { "bucket": bucket }, "github": { "url": "https://github.com/acme" },
            "pools": [ { "name": "p", "task_definition": "t", "arch": "x86_64", "cpu": 256, "memory": 512,
                         "capacity": [ { "launch_type": "EC2" } ] } ]
        });
        Stack::from_json(&document.to_string()).unwrap()
    }

    #[test]
    fn a_hallmark_stays_the_same() {
        // Runners that are registered now are to be known by the next version.
        let mark = Hallmark::of(&stack("prod", "ff", "mail"));
        assert_eq!(mark.stamp("abcdefghjk"), "abcdefghjkcymc9g6n");
    }

    #[test]
    fn a_cluster_s_name_and_its_arn_are_one() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/ff";
        assert_eq!(Hallmark::of(&stack("prod", "ff", "b")), Hallmark::of(&stack("prod", arn, "b")));
    }

    #[test]
    fn another_stack_has_another() {
        let marked = Hallmark::of(&stack("prod", "ff", "mail")).stamp("r7q2xw");
        for other in [stack("test", "ff", "mail"), stack("prod", "gg", "mail"), stack("prod", "ff", "post")] {
            assert!(!Hallmark::of(&other).is_on(&marked));
        }
    }

    proptest! {
        #[test]
        fn what_is_stamped_is_known_whatever_its_case(random in "[a-z2-9]{0,40}") {
            let mark = Hallmark::of(&stack("prod", "ff", "mail"));
            let marked = mark.stamp(&random);
            prop_assert!(mark.is_on(&marked) && mark.is_on(&marked.to_uppercase()));
            prop_assert!(marked.bytes().skip(random.len()).all(|byte| ALPHABET.contains(&byte)));
        }

        #[test]
        fn what_is_not_stamped_is_unknown(text in "\\PC{0,40}") {
            prop_assert!(!Hallmark::of(&stack("prod", "ff", "mail")).is_on(&text));
        }
    }
}
