output "url" {
  description = "Where callers in the VPC POST to, signed for `execute-api`."
  value       = "https://${aws_api_gateway_rest_api.this.id}.execute-api.${local.region}.amazonaws.com/${aws_api_gateway_stage.live.stage_name}/invocations"
}

output "caller_policy" {
  description = "Policy document (JSON) for a role that calls the API."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "CallApi"
      Effect   = "Allow"
      Action   = "execute-api:Invoke"
      Resource = "${aws_api_gateway_rest_api.this.execution_arn}/${var.stage}/POST/invocations"
    }]
  })
}

output "web_acl_arn" {
  description = "ARN of the firewall's web ACL."
  value       = aws_wafv2_web_acl.this.arn
}

output "security_group_id" {
  description = "Id of the security group of the API's interface endpoint."
  value       = aws_security_group.callers.id
}

output "api_policy" {
  description = "Policy document (JSON) of the API."
  value       = aws_api_gateway_rest_api_policy.this.policy
}
