//! The OpenAPI 3.1 document, made from the table of operations.

use crate::operations::{OPERATIONS, OperationInfo, Privilege, Shape};
use crate::problem::{MEDIA_TYPE, Problem};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The whole document (<https://spec.openapis.org/oas/v3.1.0>).
#[must_use]
pub fn document() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method.to_ascii_lowercase()] = describe(operation, &mut generator, &problem);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Volt",
            "version": "1",
            "description": "Containers, images, volumes and workloads on systemd.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://localhost", "description": "The socket run/volt/volt.sock" }],
        "paths": paths,
        "components": { "schemas": generator.take_definitions(false) },
    })
}

fn describe(operation: &OperationInfo, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let [params, body, reply] = (operation.schemas)(generator);
    let mut out = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.id.split('_').next().unwrap_or_default()],
        "x-volt-privilege": match operation.privilege {
            Privilege::Read => "read",
            Privilege::Container => "container",
            Privilege::Admin => "admin",
        },
        "parameters": parameters(operation, &params, generator),
        "responses": {
            answer_status(operation): {
                "description": operation.summary,
                "content": answer(operation, &reply),
            },
            "default": {
                "description": "Why it failed (RFC 9457)",
                "content": { MEDIA_TYPE: { "schema": problem } },
            },
        },
    });
    match operation.shape {
        Shape::Upload | Shape::UploadProgress => {
            out["requestBody"] = json!({ "content": { "application/x-tar": {} } });
        }
        _ if operation.method != "GET" && !is_nothing(&body) => {
            out["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": body } } });
        }
        _ => {}
    }
    out
}

fn is_nothing(schema: &Schema) -> bool {
    schema.get("$ref").and_then(Value::as_str).is_some_and(|r| r.ends_with("/Nothing"))
}

fn answer_status(operation: &OperationInfo) -> &'static str {
    if operation.shape == Shape::Stream { "101" } else { "200" }
}

fn answer(operation: &OperationInfo, reply: &Schema) -> Value {
    match operation.shape {
        Shape::Plain | Shape::Upload => json!({ "application/json": { "schema": reply } }),
        Shape::Progress | Shape::Lines | Shape::UploadProgress => {
            json!({ "application/x-ndjson": { "schema": reply } })
        }
        Shape::Events => json!({ "text/event-stream": { "schema": reply } }),
        Shape::Download => json!({ "application/octet-stream": {} }),
        Shape::Stream => json!({}),
    }
}

/// One parameter for each property of the parameters' schema: in the path where the path names it, else in the query.
fn parameters(operation: &OperationInfo, params: &Schema, generator: &SchemaGenerator) -> Value {
    let definition = params
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.rsplit('/').next())
        .and_then(|name| generator.definitions().get(name));
    let properties = definition.and_then(|d| d.get("properties")).and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let in_path = operation.path.contains(&format!("{{{name}}}"));
            json!({
                "name": name,
                "in": if in_path { "path" } else { "query" },
                "required": in_path,
                "schema": schema,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_in_the_document_and_every_reference_leads_somewhere() {
        let document = document();
        for operation in OPERATIONS {
            let found = &document["paths"][operation.path][operation.method.to_ascii_lowercase()];
            assert_eq!(found["operationId"], operation.id);
        }
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is missing");
        }
    }

    #[test]
    fn names_in_the_path_are_path_parameters() {
        let stop = &document()["paths"]["/api/v1/containers/{name}/stop"]["post"]["parameters"];
        let places: Vec<_> =
            stop.as_array().unwrap().iter().map(|p| (&p["name"], &p["in"])).collect();
        assert!(places.contains(&(&json!("name"), &json!("path"))));
        assert!(places.contains(&(&json!("timeout"), &json!("query"))));
    }
}
