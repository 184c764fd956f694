//! CloudWatch's Embedded Metric Format: a log line from which CloudWatch makes metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

const NAMESPACE: &str = "Strongroom";

/// One request's metrics.
pub struct Line<'a> {
    /// Names and values that metrics are told apart by.
    pub dimensions: &'a [(&'static str, &'a str)],
    /// Name, CloudWatch's unit and value.
    pub metrics: &'a [(&'static str, &'static str, f64)],
    /// What stands beside them, to be searched for.
    pub properties: &'a [(&'static str, &'a str)],
}

/// Writes a line to stdout, where CloudWatch's log agent reads. What cannot be written is lost, as any log line.
pub fn write(line: &Line<'_>) {
    let milliseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let _ = writeln!(std::io::stdout().lock(), "{}", document(line, milliseconds));
}

fn document(line: &Line<'_>, milliseconds: u64) -> Value {
    let names: Vec<&str> = line.dimensions.iter().map(|(name, _)| *name).collect();
    let units: Vec<Value> = line.metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": units });
    let mut document = Map::new();
    document.insert("_aws".to_owned(), json!({ "Timestamp": milliseconds, "CloudWatchMetrics": [directive] }));
    let texts = line.dimensions.iter().chain(line.properties);
    document.extend(texts.map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    document.extend(line.metrics.iter().map(|(name, _, value)| ((*name).to_owned(), Value::from(*value))));
    document.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_and_dimension_that_is_declared_has_its_value_at_the_top() {
        let line = Line {
            dimensions: &[("Model", "iris"), ("Route", "/invocations")],
            metrics: &[("Latency", "Milliseconds", 1.5), ("Errors", "Count", 0.0)],
            properties: &[("Code", "ok")],
        };
        let document = document(&line, 1_700_000_000_000);
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Strongroom");
        assert_eq!(directive["Dimensions"], json!([["Model", "Route"]]));
        assert_eq!(directive["Metrics"][0], json!({ "Name": "Latency", "Unit": "Milliseconds" }));
        assert_eq!(
            (&document["Latency"], &document["Model"], &document["Code"]),
            (&json!(1.5), &json!("iris"), &json!("ok"))
        );
        assert!(document["_aws"]["Timestamp"].is_u64());
    }
}
