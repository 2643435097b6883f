//! What it costs to let jobs wait less: policies of warm tasks on a real month of pushes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod chance;
mod policies;
mod trace;
mod world;

use fleetfoot_core::cost::{self, Billed};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let jobs = trace::jobs(trace::Assumed { jobs: 4, minutes: 5.0 })?;
    println!("{} jobs", jobs.len());
    let mut none = 0.0;
    for policy in policies::all() {
        let began = std::time::Instant::now();
        let stack = policy.stack()?;
        let mut outcome = world::run(&jobs, policy.targets()?);
        outcome.waits.sort();
        let n = outcome.waits.len();
        let secs = |q: f64| outcome.waits[((n as f64 * q) as usize).min(n - 1)].as_secs_f64();
        let mean = outcome.waits.iter().map(|w| w.as_secs_f64()).sum::<f64>() / n as f64;
        let warm = outcome.waits.iter().filter(|w| w.as_secs_f64() < 5.0).count() as f64 / n as f64;
        let pool = &stack.pools[0];
        let cost: f64 = outcome
            .billed
            .iter()
            .filter_map(|(from, to)| {
                cost::of_task(&Billed {
                    capacity: &pool.capacity[0],
                    arch: pool.arch,
                    size: pool.size(),
                    public_ip: false,
                    from: *from,
                    to: *to,
                })
            })
            .map(|d| d.0)
            .sum();
        if none == 0.0 {
            none = cost;
        }
        eprintln!(
            "{:60} n {n} tasks {:6} ready {:.3} mean {mean:5.1} p50 {:5.1} p90 {:5.1} p95 {:5.1} p99 {:5.1}  idle ${:8.2} of {cost:.2} took {:?}",
            policy.text,
            outcome.billed.len(),
            warm,
            secs(0.5),
            secs(0.9),
            secs(0.95),
            secs(0.99),
            cost - none,
            began.elapsed()
        );
    }
    Ok(())
}
