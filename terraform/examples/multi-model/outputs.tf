output "key" {
  description = "STRONGROOM_KEY."
  value       = module.keys.setting
}

output "put_key_command" {
  description = "Makes the sealing key. Once, as a publisher."
  value       = module.keys.put_key_command
}

output "repository_url" {
  description = "Where to push the image."
  value       = module.image.repository_url
}

output "publisher_policies" {
  description = "Policy documents (JSON) for the publishers' roles."
  value = {
    keys    = module.keys.publisher_policy
    image   = module.image.push_policy
    exports = jsonencode({ Version = "2012-10-17", Statement = local.upload_policy })
  }
}

output "endpoint_name" {
  description = "The endpoint; null before the second apply."
  value       = module.endpoint.endpoint_name
}

output "add_model_command" {
  description = "Adds a model, from where `strongroom export` wrote it. It is loaded when it is first asked for."
  value       = "aws s3 cp face-analyzer.tar.gz s3://${module.exports.name}/models/face-analyzer.tar.gz"
}

output "invoke_command" {
  description = "Asks one of the models."
  value       = "aws sagemaker-runtime invoke-endpoint --endpoint-name ${var.name} --target-model face-analyzer.tar.gz --content-type image/jpeg --body fileb://photo.jpg answer.json"
}
