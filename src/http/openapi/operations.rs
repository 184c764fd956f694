//! Every operation of the table of routes: what it is for, what it takes, what it answers.

use actix_web::http::Method;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::{self, RefOr, Response};

use super::failures::{self, Failures};
use super::shape::{Shape, named, text};
use super::{answers, bodies, parameters};
use crate::http::routes::{On, Operation};

/// As it is described.
struct Words {
    id: &'static str,
    summary: &'static str,
    description: &'static str,
}

pub(super) fn describe(operation: Operation, method: &Method, on: On) -> openapi::path::Operation {
    let Words { id, summary, description } = words(operation);
    let described = OperationBuilder::new()
        .operation_id(Some(format!("{}_{id}", method.as_str().to_lowercase())))
        .tag(tag(on))
        .summary(Some(summary))
        .description((!description.is_empty()).then_some(description))
        .parameter_ref(parameters::named(parameters::OF_ALL))
        .response("200", success(operation));
    let failures = failures(operation, on).responses();
    let described = failures.fold(described, |described, (status, response)| described.response(status, response));
    taking(described, operation).build()
}

/// Which servers have it.
fn tag(on: On) -> &'static str {
    match on {
        On::Every => "all servers",
        On::OneModel => "one model",
        On::Convenience => "one model, off with STRONGROOM_CONVENIENCE_ROUTES=false",
        On::ManyModels => "multi-model endpoints",
        On::Documented => "all servers, on with STRONGROOM_OPENAPI=true",
    }
}

fn words(operation: Operation) -> Words {
    let (id, summary, description) = match operation {
        Operation::Ping => {
            ("ping", "Whether requests are taken", "503 with the reason before, and while the server leaves.")
        }
        Operation::Metrics => ("metrics", "OpenMetrics for Prometheus", ""),
        Operation::Invoke => ("invocations", "One request through the model", ANSWERED),
        Operation::Analyze => ("analyze", "The same as /invocations", "For people."),
        Operation::ExecutionParameters => ("execution_parameters", "What a batch transform job may send at once", ""),
        Operation::DescribeModel => ("model", "What is served and what it takes", ""),
        Operation::Test => ("test", "The bundle's own sample through the model", "For people."),
        Operation::ListModels => ("models", "The models that are loaded", "Sorted by name, a page at a time."),
        Operation::LoadModel => ("models", "Load a model", "Answered when it has passed its self-test."),
        Operation::ShowModel => ("model_by_name", "Where a model was loaded from", ""),
        Operation::UnloadModel => ("model_by_name", "Unload a model", UNLOADED),
        Operation::InvokeModel => ("model_by_name_invoke", "One request through a model", ANSWERED),
        Operation::Document => ("openapi", "This document", "Only of the routes that the server has."),
    };
    Words { id, summary, description }
}

const ANSWERED: &str = "Items of a request are spread over the inference threads and answered in their order. `Accept` \
    chooses the form: `application/json`, `application/jsonlines` and, where answers are labels or numbers, `text/csv` \
    and `application/x-npy`. JSON Lines that Accept names are sent as they come: an error after the first of them is a \
    last line `{\"error\": ...}`, and the connection is closed without the end of the body.";
const UNLOADED: &str = "Answered when its requests in flight are, and its memory is given back.";

fn taking(described: OperationBuilder, operation: Operation) -> OperationBuilder {
    match operation {
        Operation::Invoke | Operation::Analyze => taking_items(described),
        Operation::InvokeModel => taking_items(described.parameter(parameters::model_name())),
        Operation::ShowModel | Operation::UnloadModel => described.parameter(parameters::model_name()),
        Operation::ListModels => parameters::paging().into_iter().fold(described, OperationBuilder::parameter),
        Operation::LoadModel => described.request_body(Some(bodies::load())),
        Operation::Ping
        | Operation::Metrics
        | Operation::ExecutionParameters
        | Operation::DescribeModel
        | Operation::Test
        | Operation::Document => described,
    }
}

fn taking_items(described: OperationBuilder) -> OperationBuilder {
    let headers = parameters::OF_ITEMS.map(parameters::named);
    headers.into_iter().fold(described, OperationBuilder::parameter_ref).request_body_ref(Some(bodies::of_items()))
}

fn success(operation: Operation) -> RefOr<Response> {
    match operation {
        Operation::Ping => answers::empty("Requests are taken."),
        Operation::Metrics => answers::plain("The metrics.", "application/openmetrics-text", text()),
        Operation::Invoke | Operation::Analyze | Operation::InvokeModel => answers::of_items(),
        Operation::ExecutionParameters => answers::json("For this machine.", named("ExecutionParameters")),
        Operation::DescribeModel => answers::json("The model.", named("Model")),
        Operation::Test => answers::sample(),
        Operation::ListModels => answers::json("A page of models.", answers::page_of_models()),
        Operation::LoadModel => answers::json("It is loaded.", answers::status()),
        Operation::ShowModel => answers::json("The model.", answers::hosted()),
        Operation::UnloadModel => answers::json("It is unloaded.", answers::status()),
        Operation::Document => answers::json("OpenAPI 3.1.", Shape::from(openapi::ObjectBuilder::new())),
    }
}

fn failures(operation: Operation, on: On) -> Failures {
    let all = Failures::default().and(failures::of_method());
    let all = if on == On::Every { all } else { all.and(failures::of_path()) };
    match operation {
        Operation::ExecutionParameters | Operation::Document => all,
        Operation::Metrics => all.and(failures::of_panics()),
        Operation::Ping => all.and(failures::of_readiness()),
        Operation::DescribeModel => all.and(failures::of_readiness()).and(failures::of_panics()),
        Operation::Test => all.and(failures::of_readiness()).and(failures::of_running()),
        Operation::Invoke | Operation::Analyze => of_items(all),
        Operation::InvokeModel => of_items(all).and_refusals(failures::of_names()),
        Operation::ListModels => all.and_refusals(failures::of_requests()),
        Operation::LoadModel => {
            let refusals = failures::of_loads().into_iter().chain(failures::of_requests());
            all.and(failures::of_readiness()).and_refusals(refusals)
        }
        Operation::ShowModel => all.and_refusals(failures::of_names()),
        Operation::UnloadModel => all.and(failures::of_panics()).and_refusals(failures::of_names()),
    }
}

fn of_items(all: Failures) -> Failures {
    all.and(failures::of_readiness()).and(failures::of_running()).and(failures::of_bodies()).and(failures::of_items())
}
