output "url" {
  description = "Where callers in the VPC POST to, signed for `execute-api`."
  value       = module.private_api.url
}

output "caller_policy" {
  description = "Policy document (JSON) for a role that calls the API."
  value       = module.private_api.caller_policy
}
