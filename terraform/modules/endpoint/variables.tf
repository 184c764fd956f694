variable "name" {
  description = "Name of the endpoint, and the beginning of the names of its models, configurations and role."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 48
    error_message = "name: expected 1 to 48 of a-z 0-9 and single hyphens, beginning with a letter."
  }
}

variable "hosting" {
  description = "How SageMaker runs the container: `real-time`, `serverless`, `asynchronous`, or `batch-transform`, which makes a model for jobs and no endpoint."
  type        = string
  default     = "real-time"
  nullable    = false

  validation {
    condition     = contains(["real-time", "serverless", "asynchronous", "batch-transform"], var.hosting)
    error_message = "hosting: expected real-time, serverless, asynchronous or batch-transform."
  }
}

variable "image_uri" {
  description = "The image, by digest: `REPOSITORY@sha256:DIGEST`. Null makes the role only, for the time before there is an image, a key and a published model."
  type        = string
  default     = null

  validation {
    condition     = var.image_uri == null ? true : can(regex("^[0-9]{12}[.]dkr[.]ecr[.][a-z0-9-]+[.]amazonaws[.]com([.]cn)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri: expected an ECR image by digest, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:HEX; a tag could come to mean another image."
  }
}

variable "registry" {
  description = "STRONGROOM_REGISTRY: `s3://BUCKET/PREFIX`. Not for a multi-model endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.multi_model_uri != null ? var.registry == null : can(regex("^s3://[a-z0-9-]+/.+$", var.registry))
    error_message = "registry: expected s3://BUCKET/PREFIX, and nothing for a multi-model endpoint."
  }
}

variable "model" {
  description = "STRONGROOM_MODEL: `NAME[:ALIAS]`, `NAME:VERSION` or `NAME@sha256:HEX`. Not for a multi-model endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.multi_model_uri != null ? var.model == null : can(regex("^[a-z0-9][a-z0-9._-]{0,62}(:[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}|@sha256:[0-9a-f]{64})?$", var.model))
    error_message = "model: expected NAME, NAME:ALIAS, NAME:VERSION or NAME@sha256:HEX, and nothing for a multi-model endpoint."
  }
}

variable "key" {
  description = "STRONGROOM_KEY: `secretsmanager:ARN`. Which key, never the key itself."
  type        = string

  validation {
    condition     = can(regex("^secretsmanager:arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$", var.key))
    error_message = "key: expected secretsmanager: and the ARN of a secret."
  }
}

variable "multi_model_uri" {
  description = "Makes a multi-model endpoint: the S3 prefix with what `strongroom export -o NAME.tar.gz` wrote."
  type        = string
  default     = null

  validation {
    condition     = var.multi_model_uri == null ? true : can(regex("^s3://[a-z0-9-]+/.+/$", var.multi_model_uri)) && var.hosting == "real-time"
    error_message = "multi_model_uri: expected s3://BUCKET/PREFIX/ with its last slash, and hosting real-time."
  }
}

variable "sandbox" {
  description = "STRONGROOM_SANDBOX: `strict` refuses to start where the process cannot confine itself, `auto` confines it as far as the host allows, `off` does not."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = contains(["strict", "auto", "off"], var.sandbox)
    error_message = "sandbox: expected strict, auto or off."
  }
}

variable "settings" {
  description = "Other settings of the container by name: `STRONGROOM_*` of docs/API.md. They stand above what `hosting` sets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^STRONGROOM_[A-Z_]+$", name)) && length(value) <= 1024])
    error_message = "settings: expected names that begin with STRONGROOM_, and values of at most 1024 characters."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["STRONGROOM_KEY", "STRONGROOM_MODEL", "STRONGROOM_REGISTRY", "STRONGROOM_SANDBOX"])) == 0
    error_message = "settings: STRONGROOM_KEY, _MODEL, _REGISTRY and _SANDBOX have variables of their own."
  }
}

variable "policies" {
  description = "What the execution role may do beside logs, metrics and network: policy documents (JSON) by name. The registry's and the keys' `reader_policy`, the image's `pull_policy`."
  type        = map(string)

  validation {
    condition     = alltrue([for policy in values(var.policies) : can(jsondecode(policy).Statement)]) && !contains(keys(var.policies), "platform")
    error_message = "policies: expected JSON policy documents, none of them named platform."
  }
}

variable "variant_name" {
  description = "Name of the production variant."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", var.variant_name))
    error_message = "variant_name: expected 1 to 63 letters, digits and hyphens."
  }
}

variable "instance_type" {
  description = "Type of the instances. CPU only, and without disks of their own (a `d` in the name), which a KMS key cannot encrypt. Graviton types need an arm64 image."
  type        = string
  default     = "ml.c6i.xlarge"
  nullable    = false

  validation {
    condition     = can(regex("^ml[.][cmrt][0-9][a-ce-z]*[.][a-z0-9]+$", var.instance_type))
    error_message = "instance_type: expected a CPU type without a disk of its own, such as ml.c6i.xlarge."
  }
}

variable "capacity" {
  description = "Bounds of autoscaling, and what an instance should bear: requests a minute, or, asynchronously, requests that wait. Measure it."
  type = object({
    min    = optional(number, 2)
    max    = optional(number, 10)
    target = optional(number, 600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.capacity.min >= (var.hosting == "asynchronous" ? 0 : 2) && var.capacity.max >= max(var.capacity.min, 1) && var.capacity.max <= 100
    error_message = "capacity: expected 2 <= min <= max <= 100, so that the loss of an instance or a zone is no outage; asynchronously min may be 0."
  }

  validation {
    condition     = floor(var.capacity.min) == var.capacity.min && floor(var.capacity.max) == var.capacity.max && var.capacity.target > 0
    error_message = "capacity: expected whole numbers of instances and a target above 0."
  }
}

variable "serverless" {
  description = "Size of a serverless endpoint: memory of a container, and how many there may be."
  type = object({
    memory_mb       = optional(number, 2048)
    max_concurrency = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1024, 2048, 3072, 4096, 5120, 6144], var.serverless.memory_mb)
    error_message = "serverless: expected memory_mb of 1024, 2048, 3072, 4096, 5120 or 6144."
  }

  validation {
    condition     = var.serverless.max_concurrency >= 1 && var.serverless.max_concurrency <= 200
    error_message = "serverless: expected max_concurrency of 1 to 200."
  }
}

variable "asynchronous" {
  description = "Where an asynchronous endpoint puts answers and failures, the KMS key for them, and how many requests an instance works on at a time."
  type = object({
    output_uri                 = string
    failure_uri                = string
    kms_key_arn                = string
    max_concurrent_invocations = optional(number, 4)
  })
  default = null

  validation {
    condition     = (var.hosting == "asynchronous") == (var.asynchronous != null)
    error_message = "asynchronous: expected with hosting asynchronous, and only then."
  }

  validation {
    condition     = var.asynchronous == null ? true : startswith(var.asynchronous.output_uri, "s3://") && startswith(var.asynchronous.failure_uri, "s3://") && var.asynchronous.max_concurrent_invocations >= 1 && var.asynchronous.max_concurrent_invocations <= 1000
    error_message = "asynchronous: expected s3:// for answers and failures, and max_concurrent_invocations of 1 to 1000."
  }
}

variable "deployment" {
  description = "How traffic moves to a new fleet: `CANARY` (one step, then all), `LINEAR` (equal steps) or `ALL_AT_ONCE`; the share of a step, how long each is watched, and how long the old fleet stays."
  type = object({
    type               = optional(string, "CANARY")
    step_percent       = optional(number, 50)
    wait_s             = optional(number, 600)
    termination_wait_s = optional(number, 300)
    max_s              = optional(number, 7200)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["CANARY", "LINEAR", "ALL_AT_ONCE"], var.deployment.type)
    error_message = "deployment: expected type CANARY, LINEAR or ALL_AT_ONCE."
  }

  validation {
    condition     = var.deployment.step_percent >= (var.deployment.type == "LINEAR" ? 10 : 1) && var.deployment.step_percent <= 50
    error_message = "deployment: expected step_percent of 1 to 50; 10 to 50 for LINEAR."
  }

  validation {
    condition     = var.deployment.wait_s >= 300 && var.deployment.wait_s <= 3600 && var.deployment.termination_wait_s >= 0 && var.deployment.termination_wait_s <= 3600 && var.deployment.max_s >= 600 && var.deployment.max_s <= 28800
    error_message = "deployment: expected wait_s of 300 to 3600 (the alarms look at five minutes), termination_wait_s of 0 to 3600, max_s of 600 to 28800."
  }
}

variable "rollback_alarms" {
  description = "Alarms that roll a deployment back: ARNs by name. Module observability has them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.rollback_alarms) <= 10 && (length(var.rollback_alarms) > 0 || contains(["serverless", "batch-transform"], var.hosting))
    error_message = "rollback_alarms: expected 1 to 10 alarms; without one a bad deployment stays."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the model, in two zones or more. Empty: SageMaker's own network."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) != 1 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "subnet_ids: expected two or more ids that begin with subnet-."
  }

  validation {
    condition     = length(var.subnet_ids) == 0 || var.hosting != "serverless"
    error_message = "subnet_ids: a serverless endpoint cannot be in a VPC."
  }
}

variable "security_group_ids" {
  description = "Security groups of the model."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (length(var.security_group_ids) > 0) == (length(var.subnet_ids) > 0)
    error_message = "security_group_ids: expected with subnet_ids, and only then."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the instances' volumes. Serverless endpoints have none."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? contains(["serverless", "batch-transform"], var.hosting) : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: expected the ARN of a KMS key; endpoints with instances must have one."
  }
}

variable "startup_timeout_s" {
  description = "How long a container may take until /ping answers 200, fetching and opening the model included."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.startup_timeout_s >= 60 && var.startup_timeout_s <= 3600
    error_message = "startup_timeout_s: expected 60 to 3600."
  }
}
