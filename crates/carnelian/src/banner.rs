//! What is printed when the server is ready: where it is, as whom to call, and a line to paste.

use std::io::Write;
use std::net::SocketAddr;

use cloud::Cloud;
use cloud::identity::Directory;
use cloud::zone;
use serde_json::json;

use crate::https::Https;
use crate::options::Settings;
use crate::reachable::reachable;

/// Prints it.
pub(crate) fn print(
    settings: &Settings,
    addresses: (SocketAddr, Option<&Https>),
    directory: &Directory,
    cloud: &Cloud,
) {
    let text = text(settings, addresses, directory, cloud);
    // Nobody needs to read it.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn text(
    settings: &Settings,
    (address, https): (SocketAddr, Option<&Https>),
    directory: &Directory,
    cloud: &Cloud,
) -> String {
    let url = format!("http://{}", reachable(address));
    let project = &directory.projects[0];
    let instances: usize = cloud.count_by_status().iter().map(|(_, count)| count).sum();
    let kept = if settings.ephemeral {
        "nothing is kept".to_owned()
    } else {
        format!("{} ({instances} instances)", settings.data_dir.display())
    };
    let https = https.map_or_else(String::new, |https| {
        let authority = match &https.path {
            Some(path) => path.display().to_string(),
            None => format!("{url}/ca.pem"),
        };
        format!("https       https://{}, trusted by {authority}\n", reachable(https.address))
    });
    format!(
        "Carnelian {version} serves Huawei Cloud DCS at {url}\n\
         and Tencent Cloud CRS at {url}/v2/index.php\n\
         \n\
         region      {region}\n\
         project     {project_name}, id {project_id}\n\
         user        {user}, password {password}, domain {domain}\n\
         access key  {access_key}, secret key {secret_key}{auth}\n\
         data        {kept}\n\
         {https}\
         \n\
         This line creates an instance, which redis-cli -p {base_port} reaches if nothing else has that port:\n\
         \n\
         {curl}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        region = directory.region,
        project_name = project.name,
        project_id = project.id,
        user = settings.user,
        password = settings.password,
        domain = settings.domain,
        access_key = settings.access_key,
        secret_key = settings.secret_key,
        auth = if settings.auth { "" } else { " (credentials are not looked at)" },
        base_port = settings.base_port,
        curl = curl(settings, &url, directory),
    )
}

/// One line that gets a token and creates an instance with it.
fn curl(settings: &Settings, url: &str, directory: &Directory) -> String {
    let project = &directory.projects[0];
    let user = json!({
        "name": settings.user,
        "password": settings.password,
        "domain": {"name": settings.domain},
    });
    let token = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": project.name}},
    }});
    let order = json!({
        "name": "demo-1",
        "engine": "Redis",
        "engine_version": "5.0",
        "capacity": 2,
        "spec_code": "redis.single.xu1.large.2",
        "no_password_access": true,
        "vpc_id": "vpc",
        "subnet_id": "subnet",
        "available_zones": [zone::zones_of(&directory.region)[0].id],
    });
    format!(
        "curl -s {url}/v1.0/{project_id}/instances -d {order} -H \"X-Auth-Token: $(curl -si {url}/v3/auth/tokens -d \
         {token} | tr -d '\\r' | sed -n 's/^x-subject-token: //p')\"",
        project_id = project.id,
        order = quoted(&order.to_string()),
        token = quoted(&token.to_string()),
    )
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_text_as_one_word() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
