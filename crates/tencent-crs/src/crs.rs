//! CRS: its actions behind one service, and the form of its errors.

use std::sync::Arc;

use cloud::identity::Caller;
use cloud::instance::{Instance, Status};
use cloud::service::{Refusal, Service};
use cloud::{Cloud, Pending, TaskError};
use operation::schema;
use operation::{Call, Failure, Operation, Reply};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::action::{Request, error_body};
use crate::actions;
use crate::authority::Authority;
use crate::code;
use crate::delivery::{Delivery, PROJECT};
use crate::field::PATH;
use crate::lease::{Lease, Standing};
use crate::ledger::Ledger;
use crate::parameters::Parameters;
use crate::steward;

/// The service.
pub(crate) struct Crs {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) authority: Authority,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) delivery: Arc<Delivery>,
    steward: JoinHandle<()>,
}

impl Crs {
    /// The service, of an account that began with `opening_fen`. Its steward runs from now on.
    pub(crate) fn new(cloud: Arc<Cloud>, authority: Authority, opening_fen: u64) -> Self {
        let ledger = Arc::new(Ledger::open(cloud.clone(), opening_fen));
        let delivery = Arc::new(Delivery::new(cloud.clone(), ledger.clone()));
        let steward = tokio::spawn(steward::serve(cloud.clone(), ledger.clone(), delivery.clone()));
        Crs { cloud, authority, ledger, delivery, steward }
    }

    /// The cloud's instance of a lease.
    pub(crate) fn instance(&self, lease: &Lease) -> Option<Arc<Instance>> {
        self.cloud.instance(PROJECT, &lease.redis_id)
    }

    /// The instance of this id, if it serves and has nothing else to do.
    pub(crate) fn serving(&self, redis_id: &str) -> Result<Arc<Instance>, Failure> {
        let lease = self.ledger.lease(redis_id).ok_or(&code::NO_INSTANCE)?;
        let instance = self.instance(&lease).filter(|_| lease.standing == Standing::Active);
        let instance = instance.ok_or(&code::STATUS_ABNORMAL)?;
        if instance.task.is_some() && instance.status != Status::Creating {
            return Err((&code::LOCKED).into());
        }
        if instance.status != Status::Running {
            return Err((&code::STATUS_ABNORMAL).into());
        }
        Ok(instance)
    }

    /// The lease of this id, if the instance is not gone.
    pub(crate) fn existing(&self, redis_id: &str) -> Result<Arc<Lease>, Failure> {
        let lease = self.ledger.lease(redis_id).filter(|lease| lease.standing != Standing::Released);
        lease.ok_or_else(|| (&code::NO_INSTANCE).into())
    }

    /// The number of a task, by which clients ask for it.
    pub(crate) fn request_id(&self, task_id: Option<&str>) -> u64 {
        let tasks = self.cloud.tasks(PROJECT);
        let task = tasks.iter().rev().find(|task| Some(task.id.as_str()) == task_id);
        task.map_or(0, |task| task.sequence)
    }

    /// Has the cloud do what the lease of this instance says.
    pub(crate) async fn follow(&self, redis_id: &str) {
        if let Some(lease) = self.ledger.lease(redis_id) {
            steward::follow(&self.cloud, &lease).await;
        }
    }
}

impl Drop for Crs {
    fn drop(&mut self) {
        self.steward.abort();
    }
}

/// The error that answers why a task does not begin.
pub(crate) fn refused(error: TaskError) -> Failure {
    match error {
        TaskError::NotFound => &code::NO_INSTANCE,
        TaskError::Busy(_) => &code::LOCKED,
        TaskError::WrongStatus(_) | TaskError::NotSupported => &code::STATUS_ABNORMAL,
        TaskError::Failed | TaskError::Store(_) => &code::BROKEN,
    }
    .into()
}

impl Service for Crs {
    fn operations(&self) -> Vec<&'static Operation> {
        actions::operations()
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &[PATH]
    }

    fn authenticate(&self, _: &'static Operation, call: &Call) -> Result<Caller, Failure> {
        self.authority.prove(call)
    }

    fn instances(&self, operation: &'static Operation, call: &Call) -> Vec<String> {
        let object = Parameters::of(call).object(operation.query);
        let texts = |value: &Value| match value {
            Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::String(text) => vec![text.clone()],
            _ => Vec::new(),
        };
        ["redisId", "redisIds"].into_iter().filter_map(|name| object.get(name)).flat_map(texts).collect()
    }

    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let caller = caller.expect("no action is public");
            let object = Parameters::of(&call).object(operation.query);
            let parameters = schema::check(operation.query, &object)?;
            let handler = actions::handler(operation);
            handler(self, Request { call: &call, parameters, caller: &caller }).await
        })
    }

    fn refuse(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::UnknownPath => (&code::UNKNOWN_ACTION).into(),
            Refusal::NoAction => code::PARAMETER.of("Action"),
            Refusal::WrongMethod => (&code::WRONG_METHOD).into(),
            Refusal::BadBody => code::PARAMETER.of("the body is too long"),
            Refusal::Denied { .. } | Refusal::ReadOnly => (&code::DENIED).into(),
            Refusal::Broken => (&code::BROKEN).into(),
        }
    }

    fn render(&self, failure: &Failure, _: &str) -> Reply {
        Reply::json(failure.status(), error_body(failure))
    }
}
