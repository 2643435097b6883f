//! Since when a set lacks each of the runners that it lacks.
//!
//! GitHub counts the jobs and does not say which of them waits for how long, so ages are kept here: a set that
//! comes to lack one more has a new wish, and one that is served takes the oldest.

use std::collections::VecDeque;

use jiff::Timestamp;

/// The wishes of one set, the oldest first. Those of one moment are kept together: a burst has thousands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    runs: VecDeque<(Timestamp, usize)>,
    len: usize,
}

impl Wishes {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Since when each is open, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.runs.iter().flat_map(|(since, count)| std::iter::repeat_n(*since, *count))
    }

    /// Takes the oldest: it is being served.
    pub fn take(&mut self) -> Option<Timestamp> {
        let (since, count) = self.runs.front_mut()?;
        let since = *since;
        *count -= 1;
        if *count == 0 {
            self.runs.pop_front();
        }
        self.len -= 1;
        Some(since)
    }

    /// Puts one back that could not be served after all.
    pub fn give_back(&mut self, since: Timestamp) {
        let place = self.runs.partition_point(|(at, _)| *at < since);
        match self.runs.get_mut(place) {
            Some((at, count)) if *at == since => *count += 1,
            _ => self.runs.insert(place, (since, 1)),
        }
        self.len += 1;
    }

    /// There are to be so many: new ones are as old as `now`, and the newest are given up first.
    pub fn settle(&mut self, count: usize, now: Timestamp) {
        if count > self.len {
            let more = count - self.len;
            match self.runs.back_mut() {
                Some((at, count)) if *at >= now => *count += more,
                _ => self.runs.push_back((now, more)),
            }
        }
        let mut less = self.len.saturating_sub(count);
        while let Some((_, newest)) = self.runs.back_mut().filter(|_| less > 0) {
            let gone = less.min(*newest);
            (less, *newest) = (less - gone, *newest - gone);
            if *newest == 0 {
                self.runs.pop_back();
            }
        }
        self.len = count;
    }

    /// Gives all up.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(n)
    }

    fn ages(wishes: &Wishes) -> Vec<i64> {
        let ages: Vec<i64> = wishes.iter().map(Timestamp::as_second).collect();
        assert_eq!(ages.len(), wishes.len());
        assert_eq!(ages.is_empty(), wishes.is_empty());
        ages
    }

    #[test]
    fn the_oldest_is_served_and_the_newest_given_up() {
        let mut wishes = Wishes::default();
        wishes.settle(2, second(1));
        wishes.settle(4, second(5));
        assert_eq!(ages(&wishes), [1, 1, 5, 5]);
        assert_eq!(wishes.take(), Some(second(1)));
        wishes.settle(2, second(6));
        assert_eq!(ages(&wishes), [1, 5]);
        wishes.settle(0, second(7));
        assert_eq!((ages(&wishes), wishes.take()), (vec![], None));
    }

    #[test]
    fn what_is_given_back_has_its_age_again() {
        let mut wishes = Wishes::default();
        wishes.settle(1, second(1));
        wishes.settle(2, second(3));
        let oldest = wishes.take().unwrap();
        wishes.settle(2, second(9));
        assert_eq!(ages(&wishes), [3, 9]);
        wishes.give_back(oldest);
        wishes.give_back(second(3));
        assert_eq!(ages(&wishes), [1, 3, 3, 9]);
        wishes.settle(2, second(9));
        assert_eq!(ages(&wishes), [1, 3]);
    }
}
