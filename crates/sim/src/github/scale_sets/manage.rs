//! Scale sets and their runners: made, changed, looked at and removed.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::accounts::Scope;
use super::super::runners::{Registration, Runner};
use super::super::state::{Effect, State};
use super::message::time;
use super::queue::Queue;
use super::{ScaleSet, ScaleSets, ServiceError};
use crate::faults::Deletion;

/// Longest name of a runner.
const MAX_NAME: usize = 64;

/// What a scale set is to be; what is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Wish {
    pub(crate) name: Option<String>,
    pub(crate) runner_group_id: Option<u64>,
    pub(crate) labels: Option<Vec<LabelWish>>,
    #[serde(rename = "RunnerSetting")]
    pub(crate) runner_setting: Option<Setting>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LabelWish {
    pub(crate) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Setting {
    pub(crate) disable_update: bool,
}

impl Wish {
    /// The labels, if there are any.
    fn labels(&self) -> Option<Vec<String>> {
        let labels = self.labels.as_ref().filter(|labels| !labels.is_empty())?;
        Some(labels.iter().map(|label| label.name.clone()).collect())
    }
}

impl ScaleSets {
    /// What a runner of a scale set is registered with, and where.
    pub(crate) fn registration(&self, id: u64, name: &str) -> Option<(Scope, Registration)> {
        let set = self.get(id)?;
        let registration = Registration {
            name: name.to_owned(),
            labels: set.labels.clone(),
            group_id: set.group_id,
            work_folder: "_work".into(),
            scale_set: Some(id),
        };
        Some((set.scope, registration))
    }
}

impl State {
    /// The names and ids of a scope's runner groups.
    fn groups(&self, scope: Scope) -> Vec<(u64, String, bool)> {
        match scope {
            Scope::Repository(_) => vec![(1, "Default".to_owned(), true)],
            Scope::Organization(id) => self
                .accounts
                .groups_of(id)
                .map(|group| (group.id, group.name.clone(), group.is_default))
                .collect(),
        }
    }

    /// `GET /runnergroups`.
    pub(crate) fn runner_groups(&self, scope: Scope, name: Option<&str>) -> Value {
        let named = |group: &(u64, String, bool)| name.is_none_or(|it| it.eq_ignore_ascii_case(&group.1));
        let shape = |(id, name, is_default): (u64, String, bool)| {
            let size =
                self.runners.all().filter(|runner| runner.scope == scope && runner.group_id == id).count();
            json!({ "id": id, "name": name, "size": size, "isDefaultGroup": is_default })
        };
        list(&self.groups(scope).into_iter().filter(named).map(shape).collect::<Vec<_>>())
    }

    /// `GET /runnerscalesets`.
    pub(crate) fn list_scale_sets(&self, scope: Scope, group: Option<u64>, name: Option<&str>) -> Value {
        let sets = self
            .scale_sets
            .all()
            .filter(|set| set.scope == scope)
            .filter(|set| group.is_none_or(|id| set.group_id == id))
            .filter(|set| name.is_none_or(|name| set.name == name));
        list(&sets.map(|set| self.scale_set_shape(set)).collect::<Vec<_>>())
    }

    /// `POST /runnerscalesets`.
    pub(crate) fn create_scale_set(
        &mut self,
        scope: Scope,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<u64, ServiceError> {
        let name = wish.name.clone().filter(|name| !name.trim().is_empty());
        let name = name.ok_or_else(|| ServiceError::bad_request("name: must be given"))?;
        let group_id = self.group_of_wish(scope, wish)?.unwrap_or(1);
        self.check_free(scope, group_id, &name, None)?;
        self.scale_sets.last_id += 1;
        let id = self.scale_sets.last_id;
        let set = ScaleSet {
            id,
            scope,
            group_id,
            labels: wish.labels().unwrap_or_else(|| vec![name.clone()]),
            name,
            disable_update: wish.runner_setting.as_ref().is_some_and(|setting| setting.disable_update),
            created_at: now,
            session: None,
            queue: Queue::default(),
            offered: BTreeSet::new(),
            assigned: BTreeSet::new(),
            waiting: VecDeque::new(),
        };
        self.scale_sets.by_id.insert(id, set);
        Ok(id)
    }

    /// `PATCH /runnerscalesets/{id}`.
    pub(crate) fn change_scale_set(
        &mut self,
        scope: Scope,
        id: u64,
        wish: &Wish,
    ) -> Result<(), ServiceError> {
        let set = self.scale_set_of(scope, id)?;
        let name = wish.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| set.name.clone());
        let old_group = set.group_id;
        let group_id = self.group_of_wish(scope, wish)?.unwrap_or(old_group);
        self.check_free(scope, group_id, &name, Some(id))?;
        let set = self.scale_sets.get_mut(id).ok_or_else(|| ServiceError::no_scale_set(id))?;
        (set.name, set.group_id) = (name, group_id);
        if let Some(labels) = wish.labels() {
            set.labels = labels;
        }
        if let Some(setting) = &wish.runner_setting {
            set.disable_update = setting.disable_update;
        }
        Ok(())
    }

    fn group_of_wish(&self, scope: Scope, wish: &Wish) -> Result<Option<u64>, ServiceError> {
        let Some(id) = wish.runner_group_id.filter(|id| *id > 0) else { return Ok(None) };
        let known = self.groups(scope).iter().any(|group| group.0 == id);
        if known { Ok(Some(id)) } else { Err(ServiceError::no_group()) }
    }

    /// A name is unique in its group.
    fn check_free(&self, scope: Scope, group: u64, name: &str, but: Option<u64>) -> Result<(), ServiceError> {
        let taken = self.scale_sets.all().any(|set| {
            set.scope == scope && set.group_id == group && set.name == name && Some(set.id) != but
        });
        if taken { Err(ServiceError::scale_set_exists(name)) } else { Ok(()) }
    }

    pub(crate) fn scale_set_of(&self, scope: Scope, id: u64) -> Result<&ScaleSet, ServiceError> {
        self.scale_sets.get(id).filter(|set| set.scope == scope).ok_or_else(|| ServiceError::no_scale_set(id))
    }

    /// Removes a scale set with its session and its runners, but for those that run a job. Its other jobs
    /// wait again, for whoever else would do.
    pub(crate) fn remove_scale_set(&mut self, id: u64, now: Timestamp) -> bool {
        let Some(set) = self.scale_sets.by_id.remove(&id) else { return false };
        for job in set.offered.iter().chain(&set.assigned) {
            self.forget_share(*job);
        }
        let idle = |runner: &&Runner| runner.scale_set == Some(id) && !runner.is_busy();
        let idle: Vec<u64> = self.runners.all().filter(idle).map(|runner| runner.id).collect();
        for runner in idle {
            self.remove_runner(runner, now);
        }
        self.effect(Effect::Wake);
        self.route(now);
        true
    }

    pub(crate) fn scale_set_shape(&self, set: &ScaleSet) -> Value {
        let label = |name: &String| json!({ "name": name, "type": "System" });
        let groups = self.groups(set.scope);
        let group = groups.iter().find(|group| group.0 == set.group_id).map(|group| group.1.clone());
        let jit = format!("_apis/runtime/runnerscalesets/{}/generatejitconfig", set.id);
        json!({
            "id": set.id,
            "name": set.name,
            "runnerGroupId": set.group_id,
            "runnerGroupName": group,
            "labels": set.labels.iter().map(label).collect::<Vec<_>>(),
            "RunnerSetting": { "disableUpdate": set.disable_update },
            "createdOn": time(Some(set.created_at)),
            "runnerJitConfigUrl": format!("{}{jit}", self.urls.actions_service()),
            "statistics": self.statistics(set).shape(),
        })
    }

    /// `POST /runnerscalesets/{id}/generatejitconfig`: the runner, and its configuration.
    pub(crate) fn mint_for_scale_set(
        &mut self,
        scope: Scope,
        id: u64,
        name: &str,
        work_folder: &str,
        now: Timestamp,
    ) -> Result<Value, ServiceError> {
        self.scale_set_of(scope, id)?;
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(ServiceError::bad_request(format!("name: must have 1 to {MAX_NAME} characters")));
        }
        let registration = self.scale_sets.registration(id, name);
        let (_, mut registration) = registration.ok_or_else(|| ServiceError::no_scale_set(id))?;
        if !work_folder.is_empty() {
            work_folder.clone_into(&mut registration.work_folder);
        }
        self.secondary.register_for_service(scope, now).map_err(|_| ServiceError::too_many())?;
        let faults = self.config.faults.clone();
        if faults.takes_name(name, now) {
            // Whether there was one of this name already or not: now there is.
            let _ = self.register_runner(scope, registration.clone(), now);
        }
        let registered = self.register_runner(scope, registration, now);
        let (runner, encoded) = registered.map_err(|_| ServiceError::runner_exists(name))?;
        let (runner_id, answer) =
            (runner.id, json!({ "runner": reference(runner), "encodedJITConfig": encoded }));
        self.effect(Effect::Wake);
        if faults.deletes_registration(name, Deletion::Offline, now) {
            self.remove_runner(runner_id, now);
        }
        Ok(answer)
    }

    /// `GET /agents?agentName=`.
    pub(crate) fn agents(&self, scope: Scope, name: Option<&str>) -> Value {
        let named = |runner: &&Runner| runner.scope == scope && name.is_none_or(|name| runner.name == name);
        list(&self.runners.all().filter(named).map(reference).collect::<Vec<_>>())
    }

    fn agent_of(&self, scope: Scope, id: u64) -> Result<&Runner, ServiceError> {
        self.runners.get(id).filter(|runner| runner.scope == scope).ok_or_else(ServiceError::no_runner)
    }

    /// `GET /agents/{id}`.
    pub(crate) fn agent(&self, scope: Scope, id: u64) -> Result<Value, ServiceError> {
        self.agent_of(scope, id).map(reference)
    }

    /// `DELETE /agents/{id}`.
    pub(crate) fn delete_agent(&mut self, scope: Scope, id: u64, now: Timestamp) -> Result<(), ServiceError> {
        let runner = self.agent_of(scope, id)?;
        if runner.is_busy() {
            return Err(ServiceError::job_still_running(&runner.name));
        }
        self.remove_runner(id, now);
        Ok(())
    }
}

fn reference(runner: &Runner) -> Value {
    json!({ "id": runner.id, "name": runner.name, "runnerScaleSetId": runner.scale_set.unwrap_or(0) })
}

fn list(values: &[Value]) -> Value {
    json!({ "count": values.len(), "value": values })
}
