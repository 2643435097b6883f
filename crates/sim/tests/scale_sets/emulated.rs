//! The crate's emulator.

use std::sync::Mutex;
use std::time::Duration;

use scaleset::testing::Emulator;
use scaleset::{Client, Credentials, JobRequestId, RetryPolicy, ScaleSetId};

use crate::story::Stage;

pub(crate) struct Emulated {
    emulator: Emulator,
    jobs: Mutex<Vec<JobRequestId>>,
}

impl Emulated {
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::builder().long_poll(Duration::from_millis(100)).start().await;
        Self { emulator, jobs: Mutex::default() }
    }

    fn job(&self, number: usize) -> JobRequestId {
        self.jobs.lock().unwrap()[number]
    }
}

impl Stage for Emulated {
    fn client(&self) -> Client {
        self.emulator.client_builder().retry_policy(RetryPolicy::none()).build().unwrap()
    }

    fn stranger(&self) -> Client {
        let credentials = Credentials::personal_access_token("ghp_stranger").unwrap();
        let builder = Client::builder(self.emulator.config_url(), credentials).allow_http(true);
        builder.retry_policy(RetryPolicy::none()).build().unwrap()
    }

    async fn queue(&self, set: ScaleSetId) {
        let job = self.emulator.queue_job(set, ["linux"]);
        self.jobs.lock().unwrap().push(job);
    }

    async fn connect(&self, _runner: &str, _jit_config: &str) {
        // A runner of the emulator is there as soon as it is registered.
    }

    async fn start(&self, job: usize, runner: &str) {
        self.emulator.start_job(self.job(job), Some(runner));
    }

    async fn fail(&self, job: usize, _runner: &str) {
        self.emulator.complete_job(self.job(job), Some("failed"));
    }

    async fn cancel(&self, job: usize) {
        self.emulator.complete_job(self.job(job), None);
    }

    async fn end_queue_token(&self, set: ScaleSetId) {
        self.emulator.expire_queue_token(set);
    }

    async fn end_admin_tokens(&self) {
        self.emulator.expire_admin_tokens();
    }

    async fn end_session(&self, set: ScaleSetId) {
        self.emulator.expire_session(set);
    }
}
