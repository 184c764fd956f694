variable "name" {
  description = "Name of the role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name: expected 1 to 64 of A-Z a-z 0-9 + = , . @ _ -."
  }
}

variable "repository" {
  description = "The GitHub repository, `OWNER/NAME`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository: expected OWNER/NAME, without wildcards."
  }
}

variable "subjects" {
  description = "Which of its workflows: `environment:NAME`, `ref:refs/heads/NAME` or `ref:refs/tags/NAME`. Prefer an environment, on which GitHub can ask for a review. Pull requests are no subject: anybody can open one."
  type        = list(string)
  default     = ["environment:production"]
  nullable    = false

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : can(regex("^(environment:[A-Za-z0-9._-]+|ref:refs/(heads|tags)/[A-Za-z0-9._/-]+)$", subject))])
    error_message = "subjects: expected environment:NAME, ref:refs/heads/NAME or ref:refs/tags/NAME, without wildcards."
  }
}

variable "create_provider" {
  description = "Whether to make GitHub's identity provider. False where the account has it."
  type        = bool
  default     = true
  nullable    = false
}

variable "policies" {
  description = "What the role may do: policy documents (JSON) by name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for policy in values(var.policies) : can(jsondecode(policy).Statement)])
    error_message = "policies: expected JSON policy documents."
  }
}
