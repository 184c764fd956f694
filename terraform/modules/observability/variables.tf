variable "name" {
  description = "Name of the trail, and the beginning of other names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 31 of a-z 0-9 -, beginning with a letter and not ending with a hyphen."
  }
}

variable "endpoint_name" {
  description = "Name of the SageMaker endpoint to watch. It need not be there yet."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", var.endpoint_name))
    error_message = "endpoint_name: expected 1 to 63 letters, digits and hyphens."
  }
}

variable "variant_name" {
  description = "Name of the endpoint's production variant."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", var.variant_name))
    error_message = "variant_name: expected 1 to 63 letters, digits and hyphens."
  }
}

variable "in_service" {
  description = "Whether the endpoint is there, so that its silence is an alarm. False for serverless endpoints, which have no instances."
  type        = bool
  default     = true
  nullable    = false
}

variable "bucket_arns" {
  description = "Buckets whose objects' reads and writes are recorded."
  type        = list(string)

  validation {
    condition     = length(var.bucket_arns) > 0 && alltrue([for arn in var.bucket_arns : can(regex("^arn:[a-z-]+:s3:::[a-z0-9-]+$", arn))])
    error_message = "bucket_arns: expected one or more ARNs of buckets, without wildcards."
  }
}

variable "secret_name" {
  description = "Name of the secret whose denied reads raise an alarm."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9/_-]{0,99}$", var.secret_name))
    error_message = "secret_name: expected 1 to 100 of a-z 0-9 / _ -."
  }
}

variable "trail_bucket_name" {
  description = "Name of the bucket that is made for the audit trail."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.trail_bucket_name))
    error_message = "trail_bucket_name: expected 3 to 63 of a-z 0-9 -, beginning and ending with a letter or digit."
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms. Each has to confirm a first mail."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", email))])
    error_message = "alarm_emails: expected addresses, NAME@DOMAIN."
  }
}

variable "max_error_percent" {
  description = "Share of requests that may fail with 5xx, in percent."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.max_error_percent > 0 && var.max_error_percent <= 50
    error_message = "max_error_percent: expected more than 0 and at most 50."
  }
}

variable "max_latency_p99_ms" {
  description = "Longest time the container may take for 99 of 100 requests, in milliseconds."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.max_latency_p99_ms >= 1 && var.max_latency_p99_ms <= 3600000
    error_message = "max_latency_p99_ms: expected 1 to 3600000."
  }
}

variable "max_latency_mean_ms" {
  description = "Longest time the container may take on average, in milliseconds."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.max_latency_mean_ms >= 1 && var.max_latency_mean_ms <= var.max_latency_p99_ms
    error_message = "max_latency_mean_ms: expected 1 to max_latency_p99_ms."
  }
}

variable "log_retention_days" {
  description = "How long the endpoint's log is kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: expected a retention that CloudWatch Logs knows, 30 or more: 30, 60, 90, 120, 150, 180, 365, 400, ..."
  }
}

variable "audit_retention_days" {
  description = "How long the audit trail is kept, in CloudWatch Logs and in its bucket."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2557, 2922, 3288, 3653], var.audit_retention_days)
    error_message = "audit_retention_days: expected a retention that CloudWatch Logs knows, a year or more: 365, 400, 545, 731, 1096, 1827, ..."
  }
}
