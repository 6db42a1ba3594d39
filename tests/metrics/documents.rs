//! The table, the dashboard and the alert rules name what is there.

use crate::scrape::{Families, scrape};
use crate::{promtool, server};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The tables of `docs/metrics.md`.
fn table() -> Families {
    let mut table = Families::new();
    for line in read("docs/metrics.md").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, what, _] = cells[..] else {
            continue;
        };
        let Some(name) = name.strip_prefix('`') else {
            continue;
        };
        let name = name.trim_end_matches('`').to_owned();
        assert!(!what.is_empty(), "{name} is not explained");
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let labels = labels
            .map(|label| label.trim_matches('`').to_owned())
            .collect();
        let known = table.insert(name.clone(), (kind.to_owned(), labels));
        assert!(known.is_none(), "{name} is explained twice");
    }
    table
}

/// The names of figures in an expression, with the endings of histograms taken off.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let figures = words.filter(|word| word.starts_with("perikon_") || word.starts_with("process_"));
    figures
        .map(|name| name.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[tokio::test]
async fn the_table_names_every_figure_with_type_and_labels_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, "{}").await;
    let mut told = scrape(server.address()).await.families();
    server.shutdown().await;
    // Of figures that nobody has given a value yet, the labels do not show.
    let table = table();
    for name in [
        "perikon_receiver_bandwidth_bytes_per_second",
        "perikon_round_trip_time_seconds",
    ] {
        told.get_mut(name).unwrap().1.insert("rank".to_owned());
    }
    let names = |families: &Families| families.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&table), names(&told));
    assert_eq!(table, told);
}

#[test]
fn every_panel_asks_for_figures_that_exist() {
    let table = table();
    let dashboard: Value = serde_json::from_str(&read("docs/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 12);
    let mut rules = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let found = names(expression);
            assert!(!found.is_empty(), "{title}: {expression}");
            for name in found {
                assert!(table.contains_key(&name), "{title} asks for {name}");
            }
            // As Grafana fills it in.
            let expression = expression
                .replace("$__rate_interval", "1m")
                .replace("$instance", ".*");
            rules.insert(format!("panel:{}", rules.len()), expression);
        }
    }
    // Prometheus understands each of them.
    let rules: Vec<Value> = rules
        .iter()
        .map(|(name, expression)| serde_json::json!({"record": name, "expr": expression}))
        .collect();
    let file = serde_json::json!({"groups": [{"name": "panels", "rules": rules}]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panels.yml");
    // JSON is YAML.
    fs::write(&path, file.to_string()).unwrap();
    promtool::accepts(&["check", "rules", path.to_str().unwrap()], "");
}

#[test]
fn every_alert_asks_for_figures_that_exist_and_fires_when_it_should() {
    let table = table();
    let alerts = read("docs/alerts.yml");
    let found = names(&alerts);
    assert!(found.len() >= 10, "{found:?}");
    for name in found {
        assert!(table.contains_key(&name), "an alert asks for {name}");
    }
    let root = env!("CARGO_MANIFEST_DIR");
    promtool::accepts(&["check", "rules", &format!("{root}/docs/alerts.yml")], "");
    let cases = read("tests/metrics/alerts.yml");
    for line in alerts.lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            assert!(
                cases.contains(&format!("alertname: {name}\n")),
                "{name} is not tried"
            );
        }
    }
    promtool::accepts(
        &["test", "rules", &format!("{root}/tests/metrics/alerts.yml")],
        "",
    );
}
