//! Where to keep tasks ready so that a share of all jobs finds one, for as few hours of waiting tasks as can be.
//!
//! Every situation that a pool gets into takes up some hours a week, and in each of them a first task kept ready
//! would serve some jobs, a second one some, and so on. So those come first that serve the most jobs in an hour of
//! waiting, until the share of all jobs is reached. Where hardly a job comes, that is before it is worth a task.

/// One situation that a pool gets into.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Situation {
    /// Hours in it, in an ordinary week. There may be none yet.
    pub(super) hours: f64,
    /// How many jobs an hour the first task kept ready serves, how many the second, ….
    pub(super) jobs: Vec<f64>,
}

impl Situation {
    fn all_jobs(&self) -> f64 {
        self.hours * self.jobs.iter().sum::<f64>()
    }
}

/// Some more tasks for one situation.
struct Step {
    situation: usize,
    /// How many tasks it has then.
    warm: usize,
    /// Jobs an hour that they serve beyond those before.
    jobs: f64,
    /// Jobs an hour that each of them serves.
    worth: f64,
}

/// How many tasks each situation gets.
pub(super) fn allot(situations: &[Situation], share: f64) -> Vec<usize> {
    let mut steps: Vec<Step> = Vec::new();
    for (n, situation) in situations.iter().enumerate() {
        steps.extend(steps_of(n, situation));
    }
    // Of equal worth, the one that comes first: the sort is stable.
    steps.sort_by(|a, b| b.worth.total_cmp(&a.worth));
    let mut missing = share * situations.iter().map(Situation::all_jobs).sum::<f64>();
    let mut allotted = vec![0; situations.len()];
    for step in steps {
        if missing <= 0.0 {
            break;
        }
        missing -= step.jobs * situations[step.situation].hours;
        allotted[step.situation] = step.warm;
    }
    allotted
}

/// Steps of falling worth. A task that serves few jobs goes together with the next ones if these serve more: five
/// jobs that always come at once are worth five tasks or none.
fn steps_of(n: usize, situation: &Situation) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (warm, jobs) in (1..).zip(&situation.jobs) {
        let mut step = Step { situation: n, warm, jobs: *jobs, worth: 0.0 };
        loop {
            let from = steps.last().map_or(0, |last| last.warm);
            let tasks = u32::try_from(step.warm - from).unwrap_or(u32::MAX);
            step.worth = step.jobs / f64::from(tasks);
            match steps.pop_if(|last| last.worth < step.worth) {
                Some(last) => step.jobs += last.jobs,
                None => break,
            }
        }
        steps.push(step);
    }
    steps.retain(|step| step.jobs > 0.0);
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn situation(hours: f64, jobs: &[f64]) -> Situation {
        Situation { hours, jobs: jobs.to_vec() }
    }

    #[test]
    fn where_the_most_jobs_come_is_served_first() {
        let week = [situation(50.0, &[2.0, 0.2]), situation(118.0, &[0.05, 0.0])];
        assert_eq!(allot(&week, 0.5), [1, 0]);
        assert_eq!(allot(&week, 0.9), [2, 0]);
        assert_eq!(allot(&week, 0.99), [2, 1]);
        assert_eq!(allot(&week, 1.0), [2, 1], "a second task at night serves nobody");
    }

    #[test]
    fn jobs_that_come_at_once_get_their_tasks_at_once() {
        assert_eq!(allot(&[situation(10.0, &[0.0, 0.0, 9.0])], 0.1), [3]);
        assert_eq!(allot(&[situation(10.0, &[4.0, 5.0, 5.0, 1.0])], 0.1), [3]);
        assert_eq!(allot(&[situation(10.0, &[0.4, 0.5, 0.5, 0.1]), situation(10.0, &[1.0])], 0.1), [0, 1]);
    }

    #[test]
    fn what_was_never_met_is_judged_like_the_rest() {
        let met = situation(10.0, &[3.0, 1.0]);
        assert_eq!(allot(&[met.clone(), situation(0.0, &[2.0])], 0.9), [2, 1]);
        assert_eq!(allot(&[met, situation(0.0, &[2.0])], 0.5), [1, 0]);
    }

    #[test]
    fn a_pool_without_jobs_gets_nothing() {
        assert_eq!(allot(&[situation(168.0, &[0.0, 0.0]), situation(0.0, &[0.0])], 0.99), [0, 0]);
        assert_eq!(allot(&[], 0.9), [0; 0]);
    }

    fn served(situations: &[Situation], allotted: &[usize]) -> f64 {
        situations
            .iter()
            .zip(allotted)
            .map(|(situation, warm)| situation.hours * situation.jobs[..*warm].iter().sum::<f64>())
            .sum()
    }

    fn cost(situations: &[Situation], allotted: &[usize]) -> f64 {
        let warm = |warm: &usize| f64::from(u32::try_from(*warm).unwrap());
        situations.iter().zip(allotted).map(|(situation, n)| situation.hours * warm(n)).sum()
    }

    proptest! {
        #[test]
        fn the_share_is_reached_and_nothing_cheaper_serves_as_many(
            situations in prop::collection::vec((1_u32..50, prop::collection::vec(0_u32..9, 3)), 1..4),
            share in 1_u32..100,
        ) {
            let situations: Vec<Situation> = situations
                .into_iter()
                .map(|(hours, jobs)| situation(hours.into(), &jobs.into_iter().map(f64::from).collect::<Vec<_>>()))
                .collect();
            let share = f64::from(share) / 100.0;
            let allotted = allot(&situations, share);
            let all: f64 = situations.iter().map(Situation::all_jobs).sum();
            prop_assert!(served(&situations, &allotted) >= share * all - 1e-9);
            // Everything else that could be allotted.
            for code in 0..4_usize.pow(u32::try_from(situations.len()).unwrap()) {
                let other: Vec<usize> = (0..situations.len()).map(|n| code >> (2 * n) & 3).collect();
                prop_assert!(
                    served(&situations, &other) <= served(&situations, &allotted) + 1e-9
                        || cost(&situations, &other) >= cost(&situations, &allotted) - 1e-9,
                    "{other:?} is better than {allotted:?}"
                );
            }
        }
    }
}
