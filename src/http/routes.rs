//! All routes in one table: the server registers what it says, and the OpenAPI document describes it.

use actix_web::http::Method;

use super::Config;

/// What is done at a path with a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Ping,
    Metrics,
    Invoke,
    ExecutionParameters,
    DescribeModel,
    Analyze,
    Test,
    ListModels,
    LoadModel,
    ShowModel,
    UnloadModel,
    InvokeModel,
    Document,
}

/// Which servers have a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Every,
    /// Those of one model.
    OneModel,
    /// Those of one model whose convenience routes are switched on.
    Convenience,
    /// Multi-model endpoints.
    ManyModels,
    /// Those that show their OpenAPI document.
    Documented,
}

/// A path and what is done there.
pub(super) struct Place {
    pub(super) path: &'static str,
    pub(super) on: On,
    pub(super) operations: &'static [(Method, Operation)],
}

static PLACES: [Place; 11] = [
    Place {
        path: "/ping",
        on: On::Every,
        operations: &[(Method::GET, Operation::Ping), (Method::HEAD, Operation::Ping), (Method::POST, Operation::Ping)],
    },
    Place { path: "/metrics", on: On::Every, operations: &[(Method::GET, Operation::Metrics)] },
    Place { path: "/invocations", on: On::OneModel, operations: &[(Method::POST, Operation::Invoke)] },
    Place {
        path: "/execution-parameters",
        on: On::OneModel,
        operations: &[(Method::GET, Operation::ExecutionParameters)],
    },
    Place { path: "/model", on: On::OneModel, operations: &[(Method::GET, Operation::DescribeModel)] },
    Place { path: "/analyze", on: On::Convenience, operations: &[(Method::POST, Operation::Analyze)] },
    Place { path: "/test", on: On::Convenience, operations: &[(Method::GET, Operation::Test)] },
    Place {
        path: "/models",
        on: On::ManyModels,
        operations: &[(Method::GET, Operation::ListModels), (Method::POST, Operation::LoadModel)],
    },
    Place {
        path: "/models/{name}",
        on: On::ManyModels,
        operations: &[(Method::GET, Operation::ShowModel), (Method::DELETE, Operation::UnloadModel)],
    },
    Place { path: "/models/{name}/invoke", on: On::ManyModels, operations: &[(Method::POST, Operation::InvokeModel)] },
    Place { path: "/openapi.json", on: On::Documented, operations: &[(Method::GET, Operation::Document)] },
];

/// Those of all servers.
pub(super) fn all() -> impl Iterator<Item = &'static Place> {
    PLACES.iter()
}

/// Those that a server has.
pub(super) fn of(config: &Config) -> impl Iterator<Item = &'static Place> {
    PLACES.iter().filter(|place| place.on.has(config))
}

impl On {
    fn has(self, config: &Config) -> bool {
        match self {
            Self::Every => true,
            Self::OneModel => !config.multi_model,
            Self::Convenience => !config.multi_model && config.convenience_routes,
            Self::ManyModels => config.multi_model,
            Self::Documented => config.openapi,
        }
    }
}

impl Place {
    /// As the header Allow has them.
    pub(super) fn allowed(&self) -> String {
        self.operations.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>().join(", ")
    }
}
