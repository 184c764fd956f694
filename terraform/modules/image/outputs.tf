output "repository_url" {
  description = "Where to push: `REGISTRY/NAME`. An image of it is `REPOSITORY_URL@sha256:DIGEST`."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_name" {
  description = "Name of the repository."
  value       = aws_ecr_repository.this.name
}

output "repository_arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this.arn
}

output "pull_policy" {
  description = "Policy document (JSON) for a role that runs images: the execution role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.pull_policy })
}

output "push_policy" {
  description = "Policy document (JSON) for a role that pushes images and waits for their scan."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.push_policy })
}
