//! DCS v2: its table of operations, and what their records share.

pub(crate) mod backups;
pub(crate) mod center;
pub(crate) mod configs;
pub(crate) mod counts;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod extensible;
pub(crate) mod flavors;
pub(crate) mod groups;
pub(crate) mod histories;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod migrations;
pub(crate) mod modify;
pub(crate) mod nodes;
pub(crate) mod password;
pub(crate) mod quota;
pub(crate) mod region;
pub(crate) mod resize;
mod server;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod slow_log;
pub(crate) mod status;
pub(crate) mod swap;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod templates;
pub(crate) mod unsupported;
pub(crate) mod version;
pub(crate) mod whitelist;

use operation::schema::Field;
use operation::{Access, BASE, Operation, Reply, Source};
use serde_json::json;

use crate::dcs::Dcs;
use crate::endpoint::Endpoint;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, text, text_or_null};
use crate::v1;

/// The operations, in the order of the reference.
pub(crate) static TABLE: &[Endpoint<Dcs>] = &[
    Endpoint { operation: &create::CREATE, handler: create::create },
    Endpoint { operation: &delete::DELETE, handler: v1::delete::delete },
    Endpoint { operation: &delete::BATCH_DELETE, handler: v1::batch_delete::batch_delete },
    Endpoint { operation: &show::SHOW, handler: show::show },
    Endpoint { operation: &list::LIST, handler: list::list },
    Endpoint { operation: &modify::MODIFY, handler: modify::modify },
    Endpoint { operation: &resize::RESIZE, handler: resize::resize },
    Endpoint { operation: &tasks::LIST, handler: v1::tasks::list },
    Endpoint { operation: &tasks::DELETE, handler: tasks::delete },
    Endpoint { operation: &tags::LIST_ALL, handler: v1::tags::list_all },
    Endpoint { operation: &tags::CHANGE, handler: tags::change },
    Endpoint { operation: &tags::LIST_ONE, handler: v1::tags::list_one },
    Endpoint { operation: &status::CHANGE_STATUS, handler: v1::status::change_status },
    Endpoint { operation: &status::STATISTIC, handler: v1::statistics::statistic },
    Endpoint { operation: &counts::COUNT_BY_STATUS, handler: counts::count_by_status },
    Endpoint { operation: &password::CHANGE_PASSWORD, handler: password::change_password },
    Endpoint { operation: &password::RESET_PASSWORD, handler: password::reset_password },
    Endpoint { operation: &configs::CONFIGURE, handler: v1::configs::configure },
    Endpoint { operation: &configs::CONFIGURE_ASYNC, handler: configs::configure_async },
    Endpoint { operation: &configs::CONFIGURATION, handler: configs::configuration },
    Endpoint { operation: &swap::SWAP, handler: swap::swap },
    Endpoint { operation: &swap::SWAP_ASYNC, handler: swap::swap_async },
    Endpoint { operation: &nodes::TOPOLOGY, handler: nodes::topology },
    Endpoint { operation: &version::VERSION, handler: version::version },
    Endpoint { operation: &extensible::OPERATIONS, handler: extensible::operations },
    Endpoint { operation: &groups::GROUPS, handler: groups::groups },
    Endpoint { operation: &groups::STATES, handler: groups::states },
    Endpoint { operation: &groups::SWITCH_OVER, handler: groups::switch_over },
    Endpoint { operation: &groups::DELETABLE, handler: groups::deletable },
    Endpoint { operation: &nodes::NODES, handler: nodes::nodes },
    Endpoint { operation: &nodes::ALL_NODES, handler: nodes::all_nodes },
    Endpoint { operation: &templates::LIST, handler: templates::list },
    Endpoint { operation: &templates::CREATE, handler: templates::create },
    Endpoint { operation: &templates::SHOW, handler: templates::show },
    Endpoint { operation: &templates::UPDATE, handler: templates::update },
    Endpoint { operation: &templates::DELETE, handler: templates::delete },
    Endpoint { operation: &histories::LIST, handler: histories::list },
    Endpoint { operation: &histories::SHOW, handler: histories::show },
    Endpoint { operation: &center::LIST, handler: center::list },
    Endpoint { operation: &center::DELETE, handler: center::delete },
    Endpoint { operation: &center::PROGRESS, handler: center::progress },
    Endpoint { operation: &jobs::JOB, handler: jobs::show },
    Endpoint { operation: &slow_log::SLOW_LOG, handler: slow_log::slow_log },
    Endpoint { operation: &sessions::SCAN, handler: sessions::scan },
    Endpoint { operation: &sessions::LIST, handler: sessions::list },
    Endpoint { operation: &sessions::KILL, handler: sessions::kill },
    Endpoint { operation: &sessions::KILL_ALL, handler: sessions::kill_all },
    Endpoint { operation: &backups::BACK_UP, handler: v1::backups::back_up },
    Endpoint { operation: &backups::LIST, handler: backups::list },
    Endpoint { operation: &backups::RESTORE_ONE, handler: v1::backups::restore },
    Endpoint { operation: &backups::LIST_RESTORES, handler: backups::list_restores },
    Endpoint { operation: &backups::DELETE, handler: backups::delete },
    Endpoint { operation: &backups::LINKS, handler: backups::links },
    Endpoint { operation: &migrations::CREATE, handler: migrations::create },
    Endpoint { operation: &migrations::CREATE_ONLINE, handler: migrations::create_online },
    Endpoint { operation: &migrations::SET_ONLINE, handler: migrations::set_online },
    Endpoint { operation: &migrations::LIST, handler: migrations::list },
    Endpoint { operation: &migrations::SHOW, handler: migrations::show },
    Endpoint { operation: &migrations::UPDATE, handler: migrations::update },
    Endpoint { operation: &migrations::STOP, handler: migrations::stop },
    Endpoint { operation: &migrations::STOP_SYNC, handler: migrations::stop_sync },
    Endpoint { operation: &migrations::BATCH_STOP, handler: migrations::batch_stop },
    Endpoint { operation: &migrations::BATCH_RESTART, handler: migrations::batch_restart },
    Endpoint { operation: &migrations::DELETE, handler: migrations::delete },
    Endpoint { operation: &migrations::LOGS, handler: migrations::logs },
    Endpoint { operation: &migrations::STATS, handler: migrations::stats },
    Endpoint { operation: &whitelist::SHOW, handler: whitelist::show },
    Endpoint { operation: &whitelist::UPDATE, handler: whitelist::update },
    Endpoint { operation: &whitelist::UPDATE_ASYNC, handler: whitelist::update_async },
    Endpoint { operation: &flavors::FLAVORS, handler: flavors::flavors },
    Endpoint { operation: &quota::QUOTA, handler: quota::quota },
    Endpoint { operation: &region::WINDOWS, handler: v1::maintenance::windows },
    Endpoint { operation: &region::ZONES, handler: region::zones },
];

/// What the records have in common; each names its section.
pub(crate) const V2_PROJECT: Operation = Operation {
    access: Access::Project,
    path: &[PROJECT_ID],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS],
    error_body: ERROR_BODY,
    source: reference(""),
    ..BASE
};

/// The same for operations on an instance.
pub(crate) const V2_INSTANCE: Operation = Operation { path: &[PROJECT_ID, INSTANCE_ID], ..V2_PROJECT };

/// A section of the reference of the present version.
pub(crate) const fn reference(section: &'static str) -> Source {
    Source { document: "DCS API Reference (V2)", section }
}

/// What is answered where a task does the work.
pub(crate) const JOB: &[Field] = &[text("job_id", "The id of the job that does it.")];

/// The answer that [`JOB`] declares.
pub(crate) fn job(id: &str) -> Reply {
    Reply::ok(json!({"job_id": id}))
}

const ERROR_BODY: &[Field] = &[
    text("error_code", "The code."),
    text("error_msg", "Its message."),
    text_or_null("error_ext_msg", "Not used."),
];
