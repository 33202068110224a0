//! OpenTelemetry's metrics (OTLP 1.x, protobuf): the run is the resource, its
//! numbers are gauges at the time the run started.

use super::{Family, Point, families, start_nanoseconds};
use crate::model::RunReport;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

/// The body of a request to `/v1/metrics`, of type `application/x-protobuf`.
#[must_use]
pub fn request(report: &RunReport) -> Vec<u8> {
    let time = start_nanoseconds(report).unwrap_or_default();
    let metrics = families(report).into_iter().map(|family| metric(family, time)).collect();
    let scope = InstrumentationScope {
        name: "plimsoll".into(),
        version: report.plimsoll_version.clone(),
        ..InstrumentationScope::default()
    };
    let resource = Resource { attributes: resource_attributes(report), ..Resource::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
    .encode_to_vec()
}

/// What the receiver left out although it answered with success: how many
/// points, and why.
#[must_use]
pub fn rejected(response: &[u8]) -> Option<(i64, String)> {
    let partial = ExportMetricsServiceResponse::decode(response).ok()?.partial_success?;
    (partial.rejected_data_points > 0).then_some((partial.rejected_data_points, partial.error_message))
}

/// By the names of OpenTelemetry's conventions where there is one.
fn resource_attributes(report: &RunReport) -> Vec<KeyValue> {
    let environment = &report.environment;
    let mut all = vec![
        attribute("service.name", "plimsoll"),
        attribute("service.version", &report.plimsoll_version),
        attribute("plimsoll.project", &report.project),
        attribute("plimsoll.run_id", &report.run_id),
        attribute("os.type", &environment.operating_system),
        attribute("db.system.name", "postgresql"),
    ];
    all.extend(environment.git_commit.iter().map(|commit| attribute("vcs.ref.head.revision", commit)));
    all.extend(environment.git_branch.iter().map(|branch| attribute("vcs.ref.head.name", branch)));
    all.extend(
        report.target.iter().map(|target| attribute("plimsoll.server_version", target.short_version())),
    );
    all
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn metric(family: Family, time_unix_nano: u64) -> Metric {
    let point = |point: Point| NumberDataPoint {
        attributes: point.labels.iter().map(|(name, value)| attribute(name, value)).collect(),
        time_unix_nano,
        value: Some(number_data_point::Value::AsDouble(point.value)),
        ..NumberDataPoint::default()
    };
    let gauge = Gauge { data_points: family.points.into_iter().map(point).collect() };
    Metric {
        name: family.otlp_name.into(),
        description: family.help.into(),
        unit: family.otlp_unit.into(),
        data: Some(metric::Data::Gauge(gauge)),
        ..Metric::default()
    }
}
