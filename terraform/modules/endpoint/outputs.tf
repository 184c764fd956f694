output "endpoint_name" {
  description = "Name of the endpoint; null while there is none."
  value       = one(aws_sagemaker_endpoint.this[*].name)
}

output "endpoint_arn" {
  description = "ARN of the endpoint; null while there is none."
  value       = one(aws_sagemaker_endpoint.this[*].arn)
}

output "model_name" {
  description = "Name of the SageMaker model, for transform jobs; null while there is none."
  value       = one(aws_sagemaker_model.this[*].name)
}

output "execution_role_arn" {
  description = "ARN of the execution role."
  value       = aws_iam_role.execution.arn
}

output "platform_policy" {
  description = "Policy document (JSON) of what the execution role may do beside `policies`."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.platform_policy })
}

output "deploy_policy" {
  description = "Policy document (JSON) for a role that deploys new configurations of the endpoint, as `scripts/deploy` does, and asks it."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.deploy_policy })
}

output "invoke_policy" {
  description = "Policy document (JSON) for a role that calls the endpoint."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.invoke_policy })
}
