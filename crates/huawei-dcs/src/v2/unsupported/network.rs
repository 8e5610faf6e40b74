//! Where an instance lies in the network: bandwidths, public addresses, TLS, names and zones.

use operation::{Method, Operation, Route};

use super::{REFUSED_INSTANCE, id};
use crate::field::{INSTANCE_ID, PROJECT_ID};
use crate::v2::reference;

pub(super) static OPERATIONS: &[&Operation] = &[
    &SHOW_BANDWIDTHS,
    &UPDATE_BANDWIDTH,
    &UPDATE_INSTANCE_BANDWIDTH,
    &SHOW_INSTANCE_BANDWIDTH_AUTO_SCALING_POLICY,
    &UPDATE_INSTANCE_BANDWIDTH_AUTO_SCALING_POLICY,
    &DELETE_INSTANCE_BANDWIDTH_AUTO_SCALING_POLICY,
    &UPDATE_PUBLIC_IP,
    &DELETE_PUBLIC_IP,
    &SHOW_INSTANCE_SSL_DETAIL,
    &UPDATE_SSL_SWITCH,
    &DOWNLOAD_SSL_CERT,
    &DELETE_IP_FROM_DOMAIN_NAME,
    &MIGRATE_AZ,
    &UPDATE_CLIENT_IP_TRANSPARENT_TRANSMISSION,
];

static SHOW_BANDWIDTHS: Operation = Operation {
    id: "ShowBandwidths",
    summary: "Shows the bandwidths of the shards.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/bandwidths",
    },
    source: reference("Querying Shard Bandwidths"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_BANDWIDTH: Operation = Operation {
    id: "UpdateBandwidth",
    summary: "Changes the bandwidths of the shards.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/bandwidths",
    },
    source: reference("Changing Shard Bandwidths"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_INSTANCE_BANDWIDTH: Operation = Operation {
    id: "UpdateInstanceBandwidth",
    summary: "Changes the bandwidth for a while.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/bandwidth",
    },
    source: reference("Changing the Bandwidth Temporarily"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_INSTANCE_BANDWIDTH_AUTO_SCALING_POLICY: Operation = Operation {
    id: "ShowInstanceBandwidthAutoScalingPolicy",
    summary: "Shows when the bandwidth changes by itself.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/autoscaling-policy/bandwidth",
    },
    source: reference("Querying the Bandwidth Auto Scaling Policy"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_INSTANCE_BANDWIDTH_AUTO_SCALING_POLICY: Operation = Operation {
    id: "UpdateInstanceBandwidthAutoScalingPolicy",
    summary: "Says when the bandwidth changes by itself.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/autoscaling-policy/bandwidth",
    },
    source: reference("Changing the Bandwidth Auto Scaling Policy"),
    ..REFUSED_INSTANCE
}
.checked();

static DELETE_INSTANCE_BANDWIDTH_AUTO_SCALING_POLICY: Operation = Operation {
    id: "DeleteInstanceBandwidthAutoScalingPolicy",
    summary: "Has the bandwidth change by itself no more.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/autoscaling-policy/bandwidth",
    },
    source: reference("Deleting the Bandwidth Auto Scaling Policy"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_PUBLIC_IP: Operation = Operation {
    id: "UpdatePublicIp",
    summary: "Gives an instance a public address.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/public-ip",
    },
    source: reference("Enabling Public Access"),
    ..REFUSED_INSTANCE
}
.checked();

static DELETE_PUBLIC_IP: Operation = Operation {
    id: "DeletePublicIp",
    summary: "Takes the public address away from an instance.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/public-ip",
    },
    source: reference("Disabling Public Access"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_INSTANCE_SSL_DETAIL: Operation = Operation {
    id: "ShowInstanceSslDetail",
    summary: "Shows whether clients connect with TLS.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/ssl" },
    source: reference("Querying SSL Encryption of an Instance"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_SSL_SWITCH: Operation = Operation {
    id: "UpdateSslSwitch",
    summary: "Says whether clients connect with TLS.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/instances/{instance_id}/ssl" },
    source: reference("Enabling or Disabling SSL"),
    ..REFUSED_INSTANCE
}
.checked();

static DOWNLOAD_SSL_CERT: Operation = Operation {
    id: "DownloadSslCert",
    summary: "Links to the certificate of an instance.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/ssl-certs/download",
    },
    source: reference("Downloading the SSL Certificate of an Instance"),
    ..REFUSED_INSTANCE
}
.checked();

static DELETE_IP_FROM_DOMAIN_NAME: Operation = Operation {
    id: "DeleteIpFromDomainName",
    summary: "Takes a replica out of the name for readers.",
    route: Route::Path { method: Method::Delete, template: "/v2/{project_id}/instances/{instance_id}/groups/{group_id}/replications/{node_id}/remove-ip" },
    path: &[PROJECT_ID, INSTANCE_ID, id("group_id", "The id of the shard."), id("node_id", "The id of the node.")],
    source: reference("Removing the IP Address of a Replica from the Domain Name"),
    ..REFUSED_INSTANCE
}
.checked();

static MIGRATE_AZ: Operation = Operation {
    id: "MigrateAz",
    summary: "Moves an instance to other availability zones.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/available-zones",
    },
    source: reference("Migrating an Instance to Other AZs"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_CLIENT_IP_TRANSPARENT_TRANSMISSION: Operation = Operation {
    id: "UpdateClientIpTransparentTransmission",
    summary: "Says whether a proxy tells the addresses of clients.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/{instance_id}/client-ip-transparent-transmission",
    },
    source: reference("Changing Client IP Pass-Through"),
    ..REFUSED_INSTANCE
}
.checked();
