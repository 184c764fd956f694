variable "name" {
  description = "Alias of the key, without `alias/`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9/-]{0,99}$", var.name)) && !startswith(var.name, "aws/")
    error_message = "name: expected 1 to 100 of a-z 0-9 - /, not beginning with aws/."
  }
}

variable "description" {
  description = "What the key is for, for people who see it in the console."
  type        = string

  validation {
    condition     = length(var.description) > 0 && length(var.description) <= 8192
    error_message = "description: expected 1 to 8192 characters."
  }
}

variable "signs" {
  description = "Whether the key signs (ECDSA on P-256) rather than encrypts. Such a key does not rotate."
  type        = bool
  default     = false
  nullable    = false
}

variable "policies" {
  description = "Policy documents (JSON) whose statements say who may use the key. Without one nobody can."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for policy in var.policies : can(jsondecode(policy).Statement[0].Sid)])
    error_message = "policies: expected JSON policy documents, each statement with a Sid."
  }
}
