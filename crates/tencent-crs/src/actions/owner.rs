//! What an owner changes about instances without touching what they hold: names and projects.

use cloud::Pending;
use cloud::instance::Status;
use operation::schema::Need;
use operation::{Answer, Failure, Operation, Reply};
use serde_json::json;

use crate::action::{Request, numbered};
use crate::code;
use crate::crs::Crs;
use crate::field::{
    ACTION, COMMON_ERRORS, NUMBERED, REDIS_IDS, action, chapter, optional, redis_id, unsigned,
};
use crate::lease::{Lease, Standing};
use crate::ledger::Edit;

pub(super) static RENAME: Operation = Operation {
    id: "ModifyRedisName",
    summary: "Gives an instance another name.",
    route: action("ModifyRedisName"),
    permission: Some("crs:instance:ModifyRedisName"),
    query: &[
        redis_id(&code::INVALID_PARAMETER),
        optional("redisName", &code::INVALID_PARAMETER, "1 to 36 letters, digits, underscores and hyphens."),
    ],
    answers: &[Answer { status: 200, about: "It has the name.", body: Some(NUMBERED) }],
    errors: &[
        COMMON_ERRORS,
        &[
            &code::NO_INSTANCE,
            &code::DELETED,
            &code::ISOLATED,
            &code::STATUS_ABNORMAL,
            &code::NAME_TOO_LONG,
            &code::NAME_RULE,
        ],
    ],
    source: chapter("Change Instance Name"),
    ..ACTION
}
.checked();

const MAX_NAME_CHARS: usize = 36;

pub(super) fn rename<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (id, name) = (request.text("redisId"), request.text("redisName"));
        let renamed = crs.ledger.write(|book| {
            let lease = book.leases.get(id).ok_or(&code::NO_INSTANCE)?;
            match lease.standing {
                Standing::Released => return Err((&code::DELETED).into()),
                Standing::Isolated { .. } => return Err((&code::ISOLATED).into()),
                Standing::Active => {}
            }
            // A name does not wait for what is at work on the instance, unless that makes it.
            let instance = crs.instance(lease);
            if instance.is_none_or(|instance| instance.status == Status::Creating) {
                return Err((&code::STATUS_ABNORMAL).into());
            }
            if name.chars().count() > MAX_NAME_CHARS {
                return Err((&code::NAME_TOO_LONG).into());
            }
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if name.is_empty() || !name.bytes().all(is_allowed) {
                return Err((&code::NAME_RULE).into());
            }
            let lease = Lease { name: name.to_owned(), ..Lease::clone(lease) };
            Ok((Edit { leases: vec![lease], ..Edit::default() }, ()))
        });
        renamed.await?;
        Ok(numbered(json!({})))
    })
}

pub(super) static MOVE: Operation = Operation {
    id: "ModifyRedisProject",
    summary: "Has instances belong to another project.",
    route: action("ModifyRedisProject"),
    permission: Some("crs:instance:ModifyRedisProject"),
    query: &[
        REDIS_IDS,
        unsigned(
            "projectId",
            Need::Required,
            &code::INVALID_PARAMETER,
            "The project; 0 for the default one.",
        ),
    ],
    answers: &[Answer { status: 200, about: "They belong to it.", body: Some(NUMBERED) }],
    errors: &[COMMON_ERRORS, &[&code::NO_INSTANCE]],
    source: chapter("Change CRS Instance Project"),
    ..ACTION
}
.checked();

pub(super) fn move_to<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let project_id = u32::try_from(request.integer("projectId")).unwrap_or(0);
        let moved = crs.ledger.write(|book| {
            let mut edit = Edit::default();
            for id in request.parameters.texts("redisIds") {
                let lease = book.leases.get(id).filter(|lease| lease.standing != Standing::Released);
                let lease = lease.ok_or(&code::NO_INSTANCE)?;
                edit.leases.push(Lease { project_id, ..Lease::clone(lease) });
            }
            Ok((edit, ()))
        });
        moved.await?;
        Ok(numbered(json!({})))
    })
}
