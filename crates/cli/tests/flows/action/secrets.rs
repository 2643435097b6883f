//! No secret shows on the Action's road: not in an argument of any process, not in the environment of one that does not
//! need it, not in a log, not in a request that is no place for it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{start, stop};
use crate::common::Stage;

/// A process: its command line and its environment.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Process {
    line: String,
    environment: Vec<String>,
}

impl Process {
    fn has(&self, variable: &str) -> bool {
        self.environment
            .iter()
            .any(|entry| entry.strip_prefix(variable).is_some_and(|rest| rest.starts_with('=')))
    }
}

/// Every process of the world that was ever seen, until told to stop.
struct Watch {
    over: Arc<AtomicBool>,
    watcher: std::thread::JoinHandle<BTreeSet<Process>>,
}

impl Watch {
    /// Looks at processes in whose environment one of these texts stands.
    fn start(marks: Vec<String>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let watcher = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !until.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    let read = |file: &str| {
                        // Some end meanwhile, and not every one may be looked at.
                        let bytes = fs::read(process.path().join(file)).unwrap_or_default();
                        String::from_utf8_lossy(&bytes).into_owned()
                    };
                    let environment = read("environ");
                    if marks.iter().any(|mark| environment.contains(mark)) {
                        let environment = environment.split('\0').map(str::to_owned).collect();
                        seen.insert(Process { line: read("cmdline").replace('\0', " "), environment });
                    }
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        Self { over, watcher }
    }

    fn end(self) -> Vec<Process> {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.join().unwrap().into_iter().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_on_the_action_s_road() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let watch = Watch::start(vec![world.aws.endpoint(), world.github.server_url()]);
    let build = "
  build:
    needs: start
    runs-on: ${{ fromJSON(needs.start.outputs.runs-on) }}
    steps: [run: 'env; sleep 0.3']
";
    let run = stage.dispatch(&(start("") + build + &stop().replace("[start]", "[start, build]")));
    run.succeeds().await;
    let processes = watch.end();

    let secrets = [world.github.secrets(), world.aws.secrets(), vec![world.token.clone()]].concat();
    let shows = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    for process in &processes {
        assert!(!shows(&process.line), "an argument: {}", process.line);
    }
    // Who has the token: the shells of the two steps that are given it, and what takes their place.
    let holders: Vec<&Process> = processes
        .iter()
        .filter(|it| it.environment.iter().any(|entry| entry.contains(&world.token)))
        .collect();
    let calls = |process: &Process, command: &str| {
        process.line.contains(&format!("fleetfoot {command} ")) && !process.line.contains("bash")
    };
    assert!(holders.iter().any(|holder| calls(holder, "start")), "{holders:#?}");
    for holder in &holders {
        assert!(holder.has("INPUT_GITHUB_TOKEN"), "{holder:#?}");
        let call = calls(holder, "start") || calls(holder, "stop");
        assert!(call || holder.line.contains("bash --noprofile"), "{holder:#?}");
    }
    // Those that were there and have it not: the installer, the agent, the runner, the steps of the job.
    for (what, there) in [
        ("the installer", processes.iter().find(|it| it.line.contains("install.sh"))),
        ("the agent", processes.iter().find(|it| it.line.contains(" agent "))),
        ("the job", processes.iter().find(|it| it.line.contains("sleep 0.3"))),
    ] {
        let process = there.unwrap_or_else(|| panic!("{what} was not seen: {processes:#?}"));
        assert!(
            !process.environment.iter().any(|entry| entry.contains(&world.token)),
            "{what}: {process:#?}"
        );
    }

    for job in ["start", "build", "stop"] {
        assert!(!shows(&run.log(job)), "the log of {job}: {}", run.log(job));
        assert!(!shows(&run.job(job).summary), "the summary of {job}");
    }
    for call in world.book.calls() {
        assert!(!shows(&call.request_line), "the request line {}", call.request_line);
        // Overrides and tags; the token is for GitHub alone, and the JIT configuration for the mailbox.
        if call.service == "ecs" {
            assert!(
                !shows(&serde_json::json!([call.request, call.response]).to_string()),
                "{}",
                call.operation
            );
        }
        assert!(
            !call.request.is_some_and(|body| body.to_string().contains(&world.token)),
            "{}",
            call.operation
        );
    }
    for task in world.aws.tasks() {
        let log = world.aws.log_lines("/fleetfoot/demo", &format!("runner/runner/{}", task.id)).join("\n");
        assert!(!log.is_empty() && !shows(&log), "{log}");
    }
    stage.close().await;
}
