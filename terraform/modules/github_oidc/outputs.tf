output "role_arn" {
  description = "ARN of the role, for `role-to-assume` of aws-actions/configure-aws-credentials."
  value       = aws_iam_role.this.arn
}

output "provider_arn" {
  description = "ARN of GitHub's identity provider."
  value       = local.provider_arn
}

output "trust_policy" {
  description = "Policy document (JSON) that says who may take the role on."
  value       = aws_iam_role.this.assume_role_policy
}

output "policies" {
  description = "Policy documents (JSON) by name: what the role may do."
  value       = { for name, policy in aws_iam_role_policy.this : name => policy.policy }
}
