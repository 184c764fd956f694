variable "region" {
  description = "AWS Region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: expected a Region such as eu-central-1."
  }
}

variable "availability_zones" {
  description = "Zones to run in, two or more. Null: `a` and `b` of the Region."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null ? true : length(var.availability_zones) >= 2 && alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "availability_zones: expected two or more zones of the Region."
  }
}

variable "name" {
  description = "Name of the endpoint, and the beginning of all other names."
  type        = string
  default     = "strongroom"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 3 && length(var.name) <= 20
    error_message = "name: expected 3 to 20 of a-z 0-9 and single hyphens, beginning with a letter."
  }
}

variable "environment" {
  description = "What this is: `prod`, `staging`, ... It is the registry's prefix and a tag of everything. Each environment has its own state, and best its own account."
  type        = string
  default     = "prod"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.environment))
    error_message = "environment: expected 1 to 16 of a-z 0-9 -, beginning with a letter."
  }
}

variable "image_digest" {
  description = "Digest of the image in the ECR repository, `sha256:HEX`. Null, for the first apply, makes everything but the endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.image_digest == null ? true : can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "image_digest: expected sha256: and 64 hexadecimal digits."
  }
}

variable "model" {
  description = "Which model: `NAME[:ALIAS]`, `NAME:VERSION` or, pinned, `NAME@sha256:HEX`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{0,62}([:@].+)?$", var.model))
    error_message = "model: expected NAME, NAME:ALIAS, NAME:VERSION or NAME@sha256:HEX."
  }
}

variable "publisher_arns" {
  description = "Users and roles that may take on the publisher's role: `aws sts get-caller-identity` prints your own."
  type        = list(string)

  validation {
    condition     = length(var.publisher_arns) > 0 && alltrue([for arn in var.publisher_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[^*?]+$", arn))])
    error_message = "publisher_arns: expected one or more ARNs of users or roles, without * or ?."
  }
}

variable "github" {
  description = "Lets workflows of one GitHub repository push images, in one environment of it. Null: none may."
  type = object({
    repository      = string
    environment     = optional(string, "production")
    create_provider = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.github == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github: expected repository as OWNER/NAME."
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", email))])
    error_message = "alarm_emails: expected addresses, NAME@DOMAIN."
  }
}

variable "instance_type" {
  description = "Type of the instances."
  type        = string
  default     = "ml.c6i.xlarge"

  validation {
    condition     = startswith(var.instance_type, "ml.")
    error_message = "instance_type: expected a type of SageMaker, such as ml.c6i.xlarge."
  }
}

variable "capacity" {
  description = "Bounds of autoscaling, and how many requests a minute an instance should bear."
  type = object({
    min    = optional(number, 2)
    max    = optional(number, 10)
    target = optional(number, 600)
  })
  default = {}

  validation {
    condition     = var.capacity.min >= 2 && var.capacity.max >= var.capacity.min
    error_message = "capacity: expected 2 <= min <= max."
  }
}

variable "deployment" {
  description = "How traffic moves to a new fleet; see module endpoint."
  type = object({
    type               = optional(string, "CANARY")
    step_percent       = optional(number, 50)
    wait_s             = optional(number, 600)
    termination_wait_s = optional(number, 300)
    max_s              = optional(number, 7200)
  })
  default = {}

  validation {
    condition     = contains(["CANARY", "LINEAR", "ALL_AT_ONCE"], var.deployment.type)
    error_message = "deployment: expected type CANARY, LINEAR or ALL_AT_ONCE."
  }
}

variable "sandbox" {
  description = "STRONGROOM_SANDBOX: strict, auto or off."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["strict", "auto", "off"], var.sandbox)
    error_message = "sandbox: expected strict, auto or off."
  }
}
