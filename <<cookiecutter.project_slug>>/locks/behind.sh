# Sourced by the Dockerfile behind a company's proxy: packages come from the index, and by the certificates, that the build's secrets
# `index` and `authority` hold, if there are any. Their hashes stay those of the lock files, and no layer keeps a secret.
if [ -s /run/secrets/index ]; then
  PIP_INDEX_URL=$(cat /run/secrets/index)
  export PIP_INDEX_URL UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
if [ -s /run/secrets/authority ]; then
  export PIP_CERT=/run/secrets/authority SSL_CERT_FILE=/run/secrets/authority
fi
