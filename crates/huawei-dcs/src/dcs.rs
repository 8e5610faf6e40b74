//! DCS: its operations behind one service, and the form of its errors.

use std::sync::Arc;

use cloud::Cloud;
use cloud::Pending;
use cloud::identity::Caller;
use cloud::instance::{self, Instance};
use cloud::service::{Refusal, Service};
use cloud::zone::{self, Zone};
use operation::schema;
use operation::{Access, Call, ErrorCode, Failure, Operation, Reply};
use serde_json::{Value, json};

use crate::authority::{Authority, Proof, Unproven};
use crate::code;
use crate::endpoint::{Endpoints, Request};
use crate::subject;
use crate::v2::templates::Templates;
use crate::{v1, v2};

/// The service.
pub(crate) struct Dcs {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) zones: Vec<Zone>,
    pub(crate) templates: Templates,
    endpoints: Endpoints<Dcs>,
}

impl Dcs {
    pub(crate) fn new(cloud: Arc<Cloud>, authority: Arc<Authority>) -> Self {
        let zones = zone::zones_of(&authority.directory().region);
        let tables = [v1::TABLE, v2::TABLE, v2::unsupported::table()];
        let endpoints = Endpoints::new(&tables, &code::EMPTY_BODY, &code::NOT_JSON);
        let templates = Templates::of(&cloud);
        Dcs { cloud, authority, zones, templates, endpoints }
    }

    /// The instance that a request names in its path.
    ///
    /// # Errors
    /// The project has none of this id.
    pub(crate) fn instance(&self, request: &Request<'_>) -> Result<Arc<Instance>, &'static ErrorCode> {
        let found = self.cloud.instance(request.project_id(), request.instance_id());
        found.ok_or(&code::UNKNOWN_INSTANCE)
    }
}

impl Service for Dcs {
    fn operations(&self) -> Vec<&'static Operation> {
        self.endpoints.operations()
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/"]
    }

    fn authenticate(&self, operation: &'static Operation, call: &Call) -> Result<Caller, Failure> {
        let proof = self.authority.prove(call).map_err(|unproven| match unproven {
            Unproven::Missing => &code::NO_TOKEN,
            Unproven::Wrong => &code::INVALID_TOKEN,
            Unproven::Expired => &code::TOKEN_EXPIRED,
        })?;
        if operation.access != Access::Project {
            // Where no project is named, a token must still be for one (section 3.2).
            return match proof {
                Proof::Token(Caller { project: None, .. }) => Err((&code::INVALID_TOKEN).into()),
                proof => Ok(proof.into_caller()),
            };
        }
        let project_id = call.parameter("project_id");
        for field in operation.path.iter().filter(|field| field.name == "project_id") {
            schema::check_parameter(field, project_id)?;
        }
        let caller = proof.for_project(project_id, self.authority.directory());
        caller.ok_or_else(|| (&code::OTHER_PROJECT).into())
    }

    fn instances(&self, operation: &'static Operation, call: &Call) -> Vec<String> {
        subject::instances(self, operation, call)
    }

    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(self.endpoints.serve(self, operation, caller, call))
    }

    fn refuse(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::UnknownPath | Refusal::NoAction => (&code::UNKNOWN_URL).into(),
            Refusal::WrongMethod => (&code::WRONG_METHOD).into(),
            Refusal::BadBody => (&code::NOT_JSON).into(),
            Refusal::Denied { action } => code::DENIED.of(action),
            Refusal::ReadOnly => (&code::READ_ONLY).into(),
            Refusal::Broken => (&code::BROKEN).into(),
        }
    }

    fn render(&self, failure: &Failure, path: &str) -> Reply {
        Reply::json(failure.status(), error_body(failure, path))
    }
}

/// The code that an instance shows for what is wrong with it (table 3 of the page on querying an instance).
pub(crate) fn fault_code(fault: instance::Fault) -> &'static str {
    match fault {
        instance::Fault::NotDeployed => "dcs.04.0002",
        instance::Fault::NotReachable => "dcs.04.0003",
    }
}

/// The body of an error: v1.0 has the former form, with the fields of v2 beside it; v2 has its own alone.
fn error_body(failure: &Failure, path: &str) -> Value {
    let present = json!({
        "error_code": failure.code.code,
        "error_msg": failure.message(),
        "error_ext_msg": null,
    });
    if path.starts_with("/v2/") {
        return present;
    }
    let (code, message) = failure.former();
    let mut body = json!({"error": {"code": code, "message": message}});
    if let (Value::Object(body), Value::Object(present)) = (&mut body, present) {
        body.extend(present);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_error_stands_in_table_12_2_as_it_is_answered() {
        let table: Vec<Vec<_>> = include_str!("../tests/data/error-codes.tsv")
            .lines()
            .map(|row| row.split('\t').collect())
            .collect();
        let has = |status: &str, code, message| table.contains(&vec![status, code, message]);
        for (table, has_former) in [(v1::TABLE, true), (v2::TABLE, false), (v2::unsupported::table(), false)]
        {
            for error in table.iter().flat_map(|endpoint| endpoint.operation.declared_errors()) {
                let status = error.status.to_string();
                assert!(has(&status, error.code, error.message), "{error:?}");
                match &error.former {
                    Some(former) => assert!(has(&status, former.code, former.message), "{error:?}"),
                    None => assert!(!has_former, "v1.0 answers errors in both forms: {error:?}"),
                }
            }
        }
    }

    #[test]
    fn whatever_takes_a_body_says_what_answers_none() {
        for operation in [v1::TABLE, v2::TABLE].into_iter().flatten().map(|endpoint| endpoint.operation) {
            let is_declared = operation.declares(&(&code::EMPTY_BODY).into());
            let is_needed = operation.body.is_some() && !operation.body_optional;
            assert_eq!(is_declared, is_needed, "{}", operation.id);
        }
    }

    #[test]
    fn each_version_has_its_form_of_an_error() {
        let failure = code::PARAMETER.of("port");
        let message = "Invalid port parameter in the request.";
        assert_eq!(
            error_body(&failure, "/v2/p/instances"),
            json!({"error_code": "DCS.4062", "error_msg": message, "error_ext_msg": null})
        );
        assert_eq!(
            error_body(&failure, "/v1.0/p/instances"),
            json!({
                "error": {"code": "111400062", "message": message},
                "error_code": "DCS.4062",
                "error_msg": message,
                "error_ext_msg": null,
            })
        );
    }
}
