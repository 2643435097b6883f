//! The scale sets, as one launcher calls them.

use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::Minted;
use fleetfoot_core::scale_sets::{
    Demand, Message, MessageId, RequestId, RunnerRef, ScaleSetId, ScaleSetSpec, ScaleSets, Session,
};
use jiff::SignedDuration;

use super::State;
use super::jobs::SetName;
use super::ports::{At, befalls, lost};
use super::weather::{Call, Trouble};
use fleetfoot::engine::Clock;

/// How long GitHub holds a poll that has no answer.
const HELD: SignedDuration = SignedDuration::from_secs(50);

impl At {
    fn name(&self, spec: &ScaleSetSpec) -> SetName {
        SetName { scope: self.scope, name: spec.name.clone() }
    }
}

impl ScaleSets for At {
    type Session = Queue;

    async fn ensure(&self, spec: &ScaleSetSpec) -> Result<ScaleSetId, Fault> {
        let name = self.name(spec);
        self.client.call(Call::Ensure, name.name.as_str(), |state| Ok(state.ensure(&name))).await
    }

    async fn look_up(&self, spec: &ScaleSetSpec) -> Result<Option<ScaleSetId>, Fault> {
        let name = self.name(spec);
        self.client.call(Call::Ensure, name.name.as_str(), |state| Ok(state.jobs.id_of(&name))).await
    }

    async fn remove(&self, _: ScaleSetId) -> Result<(), Fault> {
        unreachable!("nobody removes a set")
    }

    async fn mint(&self, id: ScaleSetId, name: &RunnerName) -> Result<Minted, Fault> {
        {
            let mut state = self.client.cloud.state();
            let now = state.now;
            state.book.mints(now, self.client.who, name);
        }
        let (who, scope) = (self.client.who, self.scope);
        let mint = |state: &mut State| {
            let labels = state.jobs.sets.get(&id).map(|set| vec![set.name.name.clone()]);
            let labels = labels.ok_or_else(|| {
                Fault::new(fleetfoot_core::fault::Class::NotFound, "mint", "there is no such scale set")
            })?;
            let minted = state.mint(who, (scope, Some(id)), name, labels)?;
            state.count_runners(id);
            Ok(minted)
        };
        let answer = self.client.call(Call::Mint, name.as_str(), mint).await;
        self.client.minted(name, &answer);
        answer
    }

    async fn find_runner(&self, name: &RunnerName) -> Result<Option<RunnerRef>, Fault> {
        let scope = self.scope;
        let find = |state: &mut State| Ok(state.find_runner(scope, name));
        let found = self.client.call(Call::FindRunner, name.as_str(), find).await?;
        Ok(found.map(|runner| RunnerRef { id: runner.id, name: runner.name }))
    }

    async fn delete_runner(&self, id: RunnerId) -> Result<(), Fault> {
        self.client.call(Call::Delete, &id.to_string(), |state| state.delete(id)).await
    }

    async fn open(&self, id: ScaleSetId, _: &str) -> Result<Queue, Fault> {
        let who = self.client.who;
        let opened = self.client.call(Call::Open, &id.to_string(), |state| state.open(who, id)).await;
        opened.map(|(number, opening)| Queue { at: self.clone(), set: id, number, opening })
    }
}

/// An open queue.
#[derive(Debug)]
pub(crate) struct Queue {
    at: At,
    set: ScaleSetId,
    number: u64,
    opening: Demand,
}

impl Queue {
    /// Waits at GitHub until there is something to tell, or nothing for long enough.
    async fn wait(&self, last: Option<MessageId>, capacity: u32) -> Result<Option<Message>, Fault> {
        let cloud = &self.at.client.cloud;
        cloud.state().poll(self.set, self.number, capacity as usize)?;
        let until = cloud.time.now() + HELD;
        loop {
            let bell = {
                let mut state = cloud.state();
                if let Some(message) = state.message(self.set, self.number, last)? {
                    return Ok(Some(message));
                }
                state.bell_of(self.set)
            };
            if cloud.time.now() >= until {
                return Ok(None);
            }
            let Some(bell) = bell else { continue };
            tokio::select! {
                biased;
                () = bell.notified() => {}
                () = cloud.time.until(until) => {}
            }
        }
    }
}

impl Session for Queue {
    fn opening_demand(&self) -> Demand {
        self.opening
    }

    async fn next(&self, last: Option<MessageId>, capacity: u32) -> Result<Option<Message>, Fault> {
        let (call, about) = (Call::Poll, self.set.to_string());
        let answer = match self.at.client.depart(call, &about).await {
            None => {
                let answer = self.wait(last, capacity).await;
                let state = self.at.client.cloud.state();
                let cut_off = state.weather.is_cut_off(self.at.client.who, state.now);
                if cut_off { Err(lost(call)) } else { answer }
            }
            Some(Trouble::AnswerLost) => self.wait(last, capacity).await.and_then(|_| Err(lost(call))),
            Some(trouble) => Err(befalls(call, trouble)),
        };
        self.at.client.arrive(call, &about, answer).await
    }

    async fn acknowledge(&self, id: MessageId) -> Result<(), Fault> {
        let (set, number) = (self.set, self.number);
        let acknowledge = |state: &mut State| state.acknowledge(set, number, id);
        self.at.client.call(Call::Acknowledge, &set.to_string(), acknowledge).await
    }

    async fn acquire(&self, requests: &[RequestId]) -> Result<Vec<RequestId>, Fault> {
        let (set, number) = (self.set, self.number);
        let acquire = |state: &mut State| state.acquire(set, number, requests);
        self.at.client.call(Call::Acquire, &set.to_string(), acquire).await
    }

    async fn close(&self) -> Result<(), Fault> {
        let (set, number) = (self.set, self.number);
        let close = |state: &mut State| match state.close(set, number) {
            Err(fault) if fault.class != fleetfoot_core::fault::Class::NotFound => Err(fault),
            _ => Ok(()),
        };
        self.at.client.call(Call::Close, &set.to_string(), close).await
    }
}
