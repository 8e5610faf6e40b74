//! How tasks work: their beginning, their end, and the nodes that they start, stop and change.
//!
//! Invariants:
//! - A task that was answered goes on when nobody waits for it any more, and when the process has been started again.
//! - What cannot be recorded is undone: it is as if the task had never been.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cloud::{Cloud, node_of};
use crate::data_plane::{NodeSpec, Port};
use crate::instance::{Fault, Instance, Status};
use crate::state::Claim;
use crate::store::{Change, CommitError};
use crate::task::{self, Profile, Task};

/// So many instances load their keys at once when a cloud is opened again.
const STARTED_AT_ONCE: usize = 16;

impl Cloud {
    /// Runs a task, and waits until it has ended (under the instant profile) or is recorded and goes on in the
    /// background: then it is still running. It runs all the same when the caller no longer waits. An error means that
    /// nothing was recorded and nothing has changed.
    pub(crate) async fn run(self: &Arc<Self>, claim: Claim) -> Result<task::State, CommitError> {
        let (told, outcome) = oneshot::channel();
        let (cloud, gate) = (self.clone(), self.gate(&claim.task));
        let work = claim.clone();
        tokio::spawn(async move {
            // Nobody may be waiting any more.
            if cloud.settings.profile == Profile::Instant {
                let _ = told.send(cloud.work(&work, gate).await);
                return;
            }
            let mut change = Change::put(&work.instance, &work.task);
            cloud.state.read().records.record(&work.task, &mut change);
            let recorded = cloud.store.commit(change).await;
            if recorded.is_err() {
                cloud.undo(&work).await;
            }
            let go_on = recorded.is_ok();
            let _ = told.send(recorded.map(|()| task::State::Running));
            if go_on {
                // What went wrong is in the log.
                let _ = cloud.work(&work, gate).await;
            }
        });
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.undo(&claim).await;
                panic!("the task {} panicked", claim.task.id)
            }
        }
    }

    /// Waits for the task's time, does its work and records the outcome. What cannot be recorded is undone.
    async fn work(
        &self,
        claim: &Claim,
        gate: Option<oneshot::Receiver<()>>,
    ) -> Result<task::State, CommitError> {
        let Claim { task, .. } = claim;
        match gate {
            Some(stepped) => {
                // The other end lies in the state, and goes only when it is used.
                stepped.await.unwrap_or_default();
                self.begin_record(task);
            }
            None => {
                self.begin_record(task);
                self.clock.sleep_until(task.created_at_ms + task.duration_ms).await;
            }
        }
        let (state, instance) = self.perform(claim).await;
        let outcome = self.finish(task, state, instance).await;
        match &outcome {
            Ok(()) if task.kind == task::Kind::Admit => {
                // Only now, so that what is not recorded does not hold.
                let whitelist = task.details.whitelist.clone().unwrap_or_default();
                self.data_plane.admit(&node_of(&claim.instance), &whitelist);
            }
            Ok(()) if task.kind == task::Kind::Delete => {
                self.busyness.forget(&task.instance_id);
                self.data_plane.remove(&node_of(&claim.instance)).await;
                self.remove_backups(&task.instance_id).await;
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(task = %task.id, instance = %task.instance_id, %error, "a task is undone");
                self.undo(claim).await;
            }
        }
        outcome.map(|()| state)
    }

    /// Does a task's work. Answers how it went, and the instance as it is then; `None` where it is to go.
    async fn perform(&self, claim: &Claim) -> (task::State, Option<Instance>) {
        let Claim { before, instance, task } = claim;
        let idle = || {
            let status = before.as_ref().map_or(Status::Running, |before| before.status);
            Instance { task: None, status, ..Instance::clone(instance) }
        };
        let ended = |done: bool| if done { task::State::Succeeded } else { task::State::Failed };
        match task.kind {
            task::Kind::Create => {
                let made = self.launch(instance, Status::CreateFailed).await;
                if made.fault.is_some() {
                    // Only the record stays; there was never anything to keep.
                    self.data_plane.remove(&node_of(instance)).await;
                }
                (ended(made.fault.is_none()), Some(made))
            }
            task::Kind::Delete => (task::State::Succeeded, None),
            task::Kind::Swap => {
                let swapped = self.data_plane.failover(&node_of(instance), None).await;
                if let Err(error) = &swapped {
                    tracing::warn!(id = %instance.id, %error, "the standby has not taken its master's place");
                }
                (ended(swapped.is_ok()), Some(idle()))
            }
            task::Kind::Restart => {
                if !self.data_plane.shut_down(&node_of(instance)).await {
                    tracing::error!(id = %instance.id, "what the instance holds could not be saved");
                }
                let again = self.launch(instance, Status::Error).await;
                (ended(again.fault.is_none()), Some(again))
            }
            task::Kind::Extend => {
                let (done, instance) = self.reshape(idle(), task.details.resize.as_ref()).await;
                (ended(done), Some(instance))
            }
            task::Kind::Freeze => {
                if !self.data_plane.shut_down(&node_of(instance)).await {
                    tracing::error!(id = %instance.id, "what the instance holds could not be saved");
                }
                (task::State::Succeeded, Some(Instance { status: Status::Frozen, ..idle() }))
            }
            task::Kind::Thaw => {
                let again = self.launch(instance, Status::Error).await;
                (ended(again.fault.is_none()), Some(again))
            }
            task::Kind::Promote => {
                let promoted = self.promote_server(instance, task.details.server).await;
                if let Err(error) = &promoted {
                    tracing::warn!(id = %instance.id, %error, "the standby has not taken its master's place");
                }
                (ended(promoted.is_ok()), Some(idle()))
            }
            task::Kind::Admit => {
                let whitelist = task.details.whitelist.clone().unwrap_or_default();
                (task::State::Succeeded, Some(Instance { whitelist, ..idle() }))
            }
            task::Kind::Survey => (ended(!self.servers(instance).is_empty()), Some(idle())),
            task::Kind::Disconnect => {
                let all = self.servers(instance).into_iter().map(|server| server.id);
                for server in all.filter(|server| task.details.server.is_none_or(|meant| meant == *server)) {
                    self.disconnect(instance, server, None);
                }
                (task::State::Succeeded, Some(idle()))
            }
            task::Kind::Flush => {
                let flushed = self.data_plane.flush(&node_of(instance)).await;
                if let Err(error) = &flushed {
                    tracing::warn!(id = %instance.id, %error, "the instance is not flushed");
                }
                (ended(flushed.is_ok()), Some(idle()))
            }
            task::Kind::Configure => {
                let (done, configured) = self.take_change(task, idle()).await;
                (ended(done), Some(configured))
            }
            task::Kind::SetAccess => {
                let (done, instance) = self.take_access(task, idle()).await;
                (ended(done), Some(instance))
            }
            task::Kind::Backup => (self.make_backup(claim).await, Some(idle())),
            task::Kind::Restore => (self.do_restore(claim).await, Some(idle())),
            task::Kind::Export => (self.do_export(claim).await, Some(idle())),
        }
    }

    /// Makes it as if the task had never been.
    async fn undo(&self, claim: &Claim) {
        let Claim { before, instance, .. } = claim;
        if before.is_none() {
            self.data_plane.remove(&node_of(instance)).await;
        }
        self.state.write().withdraw(claim);
    }

    /// What a task waits for under the stepped profile.
    fn gate(&self, task: &Task) -> Option<oneshot::Receiver<()>> {
        if self.settings.profile != Profile::Stepped {
            return None;
        }
        let (step, stepped) = oneshot::channel();
        self.state.write().steps.insert(task.id.clone(), step);
        Some(stepped)
    }

    /// Starts the instance's node and sees that it answers. What comes back runs, or is `failed` and has no node.
    pub(crate) async fn launch(&self, instance: &Instance, failed: Status) -> Instance {
        let node = node_of(instance);
        let mut instance = instance.clone();
        instance.task = None;
        let fault = match self.data_plane.start(self.node_spec(&instance)).await {
            Ok(endpoint) => {
                instance.port = Some(endpoint.address.port());
                instance.node_ports = self.data_plane.further_ports(&node);
                match self.data_plane.ping(&node).await {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::warn!(id = %instance.id, %error, "the instance's node does not answer");
                        self.data_plane.stop(&node).await;
                        Some(Fault::NotReachable)
                    }
                }
            }
            Err(error) => {
                tracing::warn!(id = %instance.id, %error, "the instance's node does not start");
                Some(Fault::NotDeployed)
            }
        };
        instance.fault = fault;
        match fault {
            Some(_) => instance.status = failed,
            None => {
                instance.status = Status::Running;
                instance.launched_at_ms.get_or_insert(self.clock.now_ms());
            }
        }
        instance
    }

    /// Records a finished task and what became of its instance: a new record, or `None` where it is gone.
    async fn finish(
        &self,
        task: &Task,
        state: task::State,
        instance: Option<Instance>,
    ) -> Result<(), CommitError> {
        let mut task = task.clone();
        task.state = state;
        // It holds a password.
        task.details.access = None;
        let now_ms = self.clock.now_ms();
        task.finished_at_ms = Some(now_ms);
        let ended = |instance| Arc::new(Instance { updated_at_ms: Some(now_ms), ..instance });
        let (task, instance) = (Arc::new(task), instance.map(ended));
        let mut change = Change { put_tasks: vec![task.clone()], ..Change::default() };
        match &instance {
            Some(instance) => change.put_instances.push(instance.clone()),
            None => change.remove_instances.push(task.instance_id.clone()),
        }
        {
            let mut memory = self.state.write();
            change.remove_tasks = memory.forget_old_tasks();
            memory.records.record_last(&task, &mut change);
            if instance.is_none() {
                memory.records.list_all(&task.instance_id, &mut change);
            }
        }
        self.store.commit(change).await?;
        let mut memory = self.state.write();
        match instance {
            Some(instance) => memory.put(instance),
            None => {
                memory.remove(&task.instance_id);
                memory.records.remove_all(&task.instance_id);
            }
        }
        memory.tasks.insert(task.sequence, task);
        drop(memory);
        self.ended.send_modify(|ended| *ended += 1);
        Ok(())
    }

    pub(crate) fn node_spec(&self, instance: &Instance) -> NodeSpec {
        let port = match (instance.port, instance.requested_port) {
            (Some(port), _) | (None, Some(port)) => Port::Exactly(port),
            (None, None) => Port::FirstFreeFrom(self.settings.base_port),
        };
        let renamed = instance.renamed_commands.iter();
        let parameters = instance.parameters.iter();
        NodeSpec {
            id: node_of(instance),
            engine: instance.engine,
            release: instance.release,
            topology: instance.topology,
            shards: instance.shards,
            copies: instance.copies,
            further_ports: instance.node_ports.clone(),
            memory_limit_bytes: instance.data_limit_bytes(),
            port,
            reserved_ports: self.state.read().ports_kept_from(instance),
            access: instance.access.clone(),
            whitelist: instance.whitelist.clone(),
            access_user: instance.access_user.clone(),
            renamed_commands: renamed.map(|(command, name)| (command.clone(), name.clone())).collect(),
            databases: instance.databases,
            parameters: parameters.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// Starts the nodes of a store that was opened, and takes up its unfinished tasks.
    pub(crate) async fn start_again(self: &Arc<Self>) {
        let (instances, unfinished) = {
            let state = self.state.read();
            let instances: Vec<_> = state.instances.values().cloned().collect();
            let running = |task: &&Arc<Task>| task.state == task::State::Running;
            (instances, state.tasks.values().filter(running).cloned().collect::<Vec<_>>())
        };
        // Whoever has many keys to load does not keep the others waiting.
        let mut starting = JoinSet::new();
        for instance in instances {
            if matches!(instance.status, Status::CreateFailed | Status::Creating | Status::Frozen) {
                continue;
            }
            if starting.len() >= STARTED_AT_ONCE {
                starting.join_next().await;
            }
            let cloud = self.clone();
            starting.spawn(async move {
                let mut again = cloud.launch(&instance, Status::Error).await;
                again.task.clone_from(&instance.task);
                cloud.state.write().put(Arc::new(again));
            });
        }
        while starting.join_next().await.is_some() {}
        for task in unfinished {
            let Some(claim) = self.state.write().take_up(task) else { continue };
            let (cloud, gate) = (self.clone(), self.gate(&claim.task));
            tokio::spawn(async move { cloud.work(&claim, gate).await });
        }
    }
}
