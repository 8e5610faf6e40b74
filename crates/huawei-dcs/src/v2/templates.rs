//! Templates of parameters: one for each release in each of its forms, and those that a project has made.
//!
//! Invariant: a project's templates are in the store, as notes, before they are answered.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use cloud::engine::{Engine, Release};
use cloud::instance::Order;
use cloud::topology::Topology;
use cloud::{Cloud, Pending};
use operation::schema::{self, FIELD, Field, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route, Support};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::uuid;
use super::{V2_PROJECT, reference};
use crate::catalogue;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, OFFSET, PROJECT_ERRORS, PROJECT_ID, integer, limit, list as list_field, page, text,
    text_or_null,
};
use crate::parameters::{self, Parameter};
use crate::time;
use crate::v1::show::cache_mode;

/// How the notes begin that hold templates.
const NOTES: &str = "dcs-template/";

/// The templates that projects have made, by id.
#[derive(Default)]
pub(crate) struct Templates(RwLock<BTreeMap<String, Template>>);

/// A template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Template {
    id: String,
    /// Whose it is; nothing for those that there always are.
    project_id: Option<String>,
    name: String,
    description: Option<String>,
    /// The release, as it is written; nothing for Memcached.
    engine_version: String,
    cache_mode: String,
    /// What differs from the defaults.
    params: BTreeMap<String, String>,
    created_at_ms: Option<u64>,
}

impl Templates {
    /// Those that the store of a cloud remembers. What cannot be read is of a later version, and left alone.
    pub(crate) fn of(cloud: &Cloud) -> Self {
        let notes = cloud.take_notes(NOTES).into_values();
        let read = notes.filter_map(|note| serde_json::from_slice::<Template>(&note).ok());
        Templates(RwLock::new(read.map(|template| (template.id.clone(), template)).collect()))
    }

    /// Has an order begin with the values of a template. Table 12-2 has no code for one that there is not, or that is for
    /// instances of another kind.
    ///
    /// # Errors
    /// `DCS.4062`
    pub(crate) fn apply(&self, id: &str, order: &mut Order) -> Result<(), Failure> {
        let found = self.seen_by(&order.project_id).into_iter().find(|template| template.id == id);
        let version = order.release.map_or("", Release::name);
        let fits = |template: &Template| {
            template.engine_version == version && template.cache_mode == cache_mode(order.topology)
        };
        let template = found.filter(fits).ok_or_else(|| code::PARAMETER.of("template_id"))?;
        order.parameters.extend(template.params);
        Ok(())
    }

    /// Those that a project sees, the ones that there always are first.
    fn seen_by(&self, project_id: &str) -> Vec<Template> {
        let made = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let own = made.values().filter(|template| template.project_id.as_deref() == Some(project_id));
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by_key(|template| template.created_at_ms);
        standing().into_iter().chain(own).collect()
    }

    /// Keeps a template, or what has become of it, when it is in the store.
    async fn keep(&self, cloud: &Cloud, id: &str, template: Option<Template>) -> Result<(), Failure> {
        let note = template.as_ref().map(|template| serde_json::to_vec(template).unwrap_or_default());
        cloud.note(vec![(format!("{NOTES}{id}"), note)]).await.map_err(|_| &code::NOT_SAVED)?;
        let mut made = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match template {
            Some(template) => made.insert(id.to_owned(), template),
            None => made.remove(id),
        };
        Ok(())
    }
}

/// The templates that there always are: of each release that is sold, in each of its forms.
fn standing() -> Vec<Template> {
    let sold = catalogue::specifications()
        .iter()
        .flat_map(|row| row.releases.iter().map(|release| (*release, row.cache_mode)).collect::<Vec<_>>());
    let mut kinds: Vec<_> = sold.collect();
    kinds.sort_unstable_by_key(|(release, mode)| (*release, *mode));
    kinds.dedup();
    let template = |((release, mode), number): ((Release, &str), u32)| Template {
        id: number.to_string(),
        project_id: None,
        name: format!("Default-Redis-{}-{mode}-generic-DRAM", release.name()),
        description: None,
        engine_version: release.name().to_owned(),
        cache_mode: mode.to_owned(),
        params: BTreeMap::new(),
        created_at_ms: None,
    };
    kinds.into_iter().zip(1..).map(template).collect()
}

impl Template {
    /// The parameters of the instances that it is for, but for memory that is kept from data.
    fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        let release = self.engine_version.parse::<Release>().ok();
        let topology = match &*self.cache_mode {
            "single" => Topology::Single,
            "ha" => Topology::MasterStandby,
            "proxy" => Topology::Proxy,
            _ => Topology::Cluster,
        };
        let own = parameters::ALL.iter();
        own.filter(move |parameter| {
            parameter.owners.include(Engine::Redis, release, topology)
                && parameter.range != parameters::Range::Reserved
        })
    }

    /// Takes these values; the name of the first that is no parameter, or has another value than it takes, if there is one.
    fn take(&mut self, params: &[(&str, &str)]) -> Result<(), String> {
        for (name, value) in params {
            let known = self.parameters().find(|parameter| parameter.name == *name);
            let read = known.and_then(|known| known.range.read_alone(value, known.default));
            self.params.insert((*name).to_owned(), read.ok_or_else(|| (*name).to_owned())?);
        }
        Ok(())
    }

    fn shown(&self) -> Value {
        json!({
            "template_id": self.id,
            "cache_mode": self.cache_mode,
            "description": self.description,
            "engine": "Redis",
            "engine_version": self.engine_version,
            "name": self.name,
            "product_type": "generic",
            "storage_type": "DRAM",
            "type": self.kind(),
            "created_at": self.created_at_ms.map(time::with_millis),
        })
    }

    fn kind(&self) -> &'static str {
        if self.project_id.is_none() { "sys" } else { "user" }
    }
}

const TEMPLATE: &[Field] = &[
    text("template_id", "The id."),
    text("cache_mode", "The form of the instances that it is for."),
    text_or_null("description", "What its owner says about it."),
    text("engine", "The engine: Redis."),
    text("engine_version", "The release of the instances that it is for."),
    text("name", "The name."),
    text("product_type", "The edition: generic."),
    text("storage_type", "The kind of memory: DRAM."),
    text("type", "sys for those that there always are, user for those of a project."),
    text_or_null("created_at", "When it was made, in UTC."),
];

const SHOWN: [Field; TEMPLATE.len() + 1] = schema::joined(
    TEMPLATE,
    &[list_field(
        "params",
        &Kind::Object(&[text("param_name", "The parameter."), text("param_value", "Its value.")]),
        "The parameters and their values.",
    )],
);

const fn choice(name: &'static str, one_of: &'static [&'static str], about: &'static str) -> Field {
    Field { name, kind: Kind::Text(Text { one_of, ..TEXT }), invalid: Some(&code::PARAMETER), about, ..FIELD }
}

const TEMPLATE_ID: Field = Field {
    name: "template_id",
    need: Need::Required,
    invalid: Some(&code::PARAMETER),
    about: "The id of the template.",
    ..FIELD
};

const NAME: Field = Field {
    name: "name",
    kind: Kind::Text(Text { min_chars: 4, max_chars: 64, ..TEXT }),
    invalid: Some(&code::PARAMETER),
    about: "The name.",
    ..FIELD
};

const DESCRIPTION: Field = Field {
    name: "description",
    kind: Kind::Text(Text { max_chars: 1024, ..TEXT }),
    invalid: Some(&code::DESCRIPTION),
    about: "What its owner says about it.",
    ..FIELD
};

const PARAMS: Field = Field {
    name: "params",
    kind: Kind::Map(&Kind::Text(TEXT)),
    invalid: Some(&code::PARAMETER),
    about: "Parameters, and their values.",
    ..FIELD
};

pub(crate) static LIST: Operation = Operation {
    id: "ListConfigTemplates",
    summary: "Lists the templates of parameters that a project sees.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/config-templates" },
    query: &[
        choice("name", &[], "The name, or a part of it."),
        choice("template_id", &[], "The id."),
        choice("type", &["sys", "user"], "Whose they are."),
        choice("engine", &["Redis", "redis"], "The engine."),
        choice("engine_version", &[], "The release."),
        choice("cache_mode", &["single", "ha", "cluster", "proxy", "ha_rw_split"], "The form."),
        choice("description", &[], "The description, or a part of it."),
        OFFSET,
        limit(1_000, "How many templates a page has at most. 10 if left out."),
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the templates.",
        body: Some(&[
            integer("template_num", "How many there are on all pages."),
            list_field("templates", &Kind::Object(TEMPLATE), "The templates of the page."),
        ]),
    }],
    source: reference("Viewing Parameter Templates"),
    ..V2_PROJECT
}
.checked();

pub(crate) static CREATE: Operation = Operation {
    id: "CreateCustomTemplate",
    summary: "Makes a template of parameters from another one.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/config-templates" },
    permission: Some("dcs:template:create"),
    body: Some(&[
        Field { about: "The id of the template that it begins with.", ..TEMPLATE_ID },
        Field { need: Need::Required, ..NAME },
        choice(
            "type",
            &["sys", "user"],
            "Whose the template is that it begins with. Its id says it as well.",
        ),
        choice(
            "engine",
            &["Redis", "redis"],
            "The engine. The template that it begins with says it as well.",
        ),
        choice("cache_mode", &[], "Not used: the template that it begins with says it."),
        DESCRIPTION,
        choice("engine_version", &[], "Not used: the template that it begins with says it."),
        PARAMS,
    ]),
    answers: &[Answer { status: 200, about: "The template is made.", body: Some(&[text("id", "Its id.")]) }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[&code::EMPTY_BODY, &code::PARAMETER, &code::CONFIGURATION, &code::NOT_SAVED],
    ],
    source: reference("Creating a Custom Template"),
    support: Support::Partial("instances that are ordered with one"),
    ..V2_PROJECT
}
.checked();

pub(crate) static SHOW: Operation = Operation {
    id: "ShowConfigTemplate",
    summary: "Shows a template of parameters.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/config-templates/{template_id}" },
    path: &[PROJECT_ID, TEMPLATE_ID],
    query: &[choice("type", &["sys", "user"], "Whose it is. The id says it as well.")],
    answers: &[Answer { status: 200, about: "The template.", body: Some(&SHOWN) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::PARAMETER]],
    source: reference("Viewing a Parameter Template"),
    ..V2_PROJECT
}
.checked();

pub(crate) static UPDATE: Operation = Operation {
    id: "UpdateConfigTemplate",
    summary: "Changes a template that the project has made.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/config-templates/{template_id}" },
    path: &[PROJECT_ID, TEMPLATE_ID],
    permission: Some("dcs:template:modify"),
    body: Some(&[NAME, DESCRIPTION, PARAMS]),
    answers: &[Answer { status: 200, about: "It is changed.", body: Some(RESULT) }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[&code::EMPTY_BODY, &code::PARAMETER, &code::CONFIGURATION, &code::NOT_SAVED],
    ],
    source: reference("Modifying a Custom Template"),
    ..V2_PROJECT
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteConfigTemplate",
    summary: "Deletes a template that the project has made.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/config-templates/{template_id}",
    },
    path: &[PROJECT_ID, TEMPLATE_ID],
    permission: Some("dcs:template:delete"),
    answers: &[Answer { status: 200, about: "It is gone.", body: Some(RESULT) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::PARAMETER, &code::NOT_SAVED]],
    source: reference("Deleting a Custom Template"),
    ..V2_PROJECT
}
.checked();

const RESULT: &[Field] = &[text("result", "success.")];

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let query = &request.query;
        let is = |name: &str, value: &str| query.text(name).is_none_or(|wanted| wanted == value);
        let has = |name: &str, value: &str| query.text(name).is_none_or(|wanted| value.contains(wanted));
        let mut templates = dcs.templates.seen_by(request.project_id());
        templates.retain(|template| {
            has("name", &template.name)
                && has("description", template.description.as_deref().unwrap_or_default())
                && is("template_id", &template.id)
                && is("type", template.kind())
                && is("engine_version", &template.engine_version)
                && is("cache_mode", &template.cache_mode)
        });
        let count = templates.len();
        let templates: Vec<_> = page(templates, query).map(|template| template.shown()).collect();
        Ok(Reply::ok(json!({"template_num": count, "templates": templates})))
    })
}

pub(super) fn create<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (project_id, body) = (request.project_id(), &request.body);
        let seen = dcs.templates.seen_by(project_id);
        let (id, name) =
            (body.text("template_id").unwrap_or_default(), body.text("name").unwrap_or_default());
        let base = seen.iter().find(|template| template.id == id);
        let base = base.ok_or_else(|| code::PARAMETER.of("template_id"))?;
        if seen.iter().any(|template| template.name == name) {
            return Err(code::PARAMETER.of("name"));
        }
        let now_ms = dcs.cloud.clock().now_ms();
        let whole = Sha256::digest(format!("{project_id} {name} {now_ms} {}", seen.len()));
        let mut start = [0; 16];
        start.copy_from_slice(&whole[..16]);
        let mut made = Template {
            id: uuid(start),
            project_id: Some(project_id.to_owned()),
            name: name.to_owned(),
            description: body.text("description").map(str::to_owned),
            created_at_ms: Some(now_ms),
            ..base.clone()
        };
        let params: Vec<_> = body.pairs("params").collect();
        made.take(&params).map_err(|name| code::CONFIGURATION.of(name))?;
        let id = made.id.clone();
        dcs.templates.keep(&dcs.cloud, &id, Some(made)).await?;
        Ok(Reply::ok(json!({"id": id})))
    })
}

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let template = find(dcs, &request)?;
        let params = template.parameters().map(|parameter| {
            let value = template.params.get(parameter.name).map_or(parameter.default, String::as_str);
            json!({"param_name": parameter.name, "param_value": value})
        });
        let mut about = template.shown();
        about["params"] = params.collect();
        Ok(Reply::ok(about))
    })
}

pub(super) fn update<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut template = own(dcs, &request)?;
        let body = &request.body;
        if let Some(name) = body.text("name") {
            name.clone_into(&mut template.name);
        }
        if let Some(description) = body.text("description") {
            template.description = Some(description.to_owned());
        }
        let params: Vec<_> = body.pairs("params").collect();
        template.take(&params).map_err(|name| code::CONFIGURATION.of(name))?;
        let id = template.id.clone();
        dcs.templates.keep(&dcs.cloud, &id, Some(template)).await?;
        Ok(Reply::ok(json!({"result": "success"})))
    })
}

pub(super) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let template = own(dcs, &request)?;
        dcs.templates.keep(&dcs.cloud, &template.id, None).await?;
        Ok(Reply::ok(json!({"result": "success"})))
    })
}

/// The template that a request names.
fn find(dcs: &Dcs, request: &Request<'_>) -> Result<Template, Failure> {
    let id = request.call.parameter("template_id");
    let mut seen = dcs.templates.seen_by(request.project_id()).into_iter();
    seen.find(|template| template.id == id).ok_or_else(|| code::PARAMETER.of("template_id"))
}

/// The same, if the project has made it.
fn own(dcs: &Dcs, request: &Request<'_>) -> Result<Template, Failure> {
    let template = find(dcs, request)?;
    if template.project_id.is_some() { Ok(template) } else { Err(code::PARAMETER.of("template_id")) }
}
