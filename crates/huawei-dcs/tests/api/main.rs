//! DCS v1.0 and IAM as clients see them: through the gateway, over a data plane and a clock that the tests steer.

#![recursion_limit = "256"]

mod backups;
mod batch_delete;
mod busy;
mod callers;
mod captures;
mod configs;
mod create;
mod defaults;
mod every_operation;
mod examples;
mod instances;
mod migrations;
mod models;
mod modify;
mod other_queries;
mod password;
mod permissions;
mod ratchet;
mod refusals;
mod resize;
mod status;
mod swap;
mod table_12_2;
mod tables;
mod tags;
mod v2_lifecycle;
mod v2_nodes;
mod v2_operations;
mod v2_queries;
mod v2_records;
mod v2_sessions;
mod v2_templates;
mod world;
