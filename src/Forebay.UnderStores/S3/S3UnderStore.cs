using System.Globalization;
using System.Net;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>A bucket of S3 or of anything that speaks it, over HTTP/1.1 with requests signed here (FACTS: a third of the SDK's cost).</summary>
/// <remarks>
/// Thread-safe. A failure leaves nothing behind: each call stands alone, except for two corrections that are kept once the
/// store has told them, the bucket's region and the distance of the clocks; each is tried once per call. No other retry happens here.
/// </remarks>
internal sealed partial class S3UnderStore : IUnderStore
{
    /// <summary>Lets DNS changes take effect without breaking reads that run.</summary>
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan ConnectionIdle = TimeSpan.FromMinutes(1);

    /// <summary>Stores refuse a signature 15 minutes off; a 403 without a reason (HEAD) is put down to the clock from here on.</summary>
    private static readonly TimeSpan SuspiciousSkew = TimeSpan.FromMinutes(5);

    private static readonly UriCreationOptions RawTarget = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly HttpMessageInvoker _http;
    private readonly ICredentialSource _credentials;
    private readonly TimeProvider _timeProvider;
    private readonly SigV4Signer _signer = new();
    private volatile S3Address _address;
    private volatile bool _hasDirectories;
    private long _clockOffsetTicks;

    public S3UnderStore(UnderStoreOptions options, TimeSpan connectTimeout, int maxConnections, TimeProvider timeProvider)
        : this(options, CreateHandler(connectTimeout, maxConnections), timeProvider)
    {
    }

    /// <summary>As the public constructor, over a transport of the caller's; it is disposed with the store.</summary>
    internal S3UnderStore(UnderStoreOptions options, HttpMessageHandler handler, TimeProvider timeProvider)
    {
        _timeProvider = timeProvider;
        _address = new S3Address(options, options.Region);
        _credentials = options.Anonymous || options.Credentials is not null
            ? new FixedCredentialSource(options.Credentials)
            : new ChainCredentialSource(options.Profile, timeProvider);
        _http = new HttpMessageInvoker(handler, disposeHandler: true);
        Id = options.Id;
        DisplayName = options.DisplayName;
    }

    /// <inheritdoc/>
    public UnderStoreId Id { get; }

    /// <inheritdoc/>
    public string DisplayName { get; }

    /// <inheritdoc/>
    public bool HasDirectories => _hasDirectories;

    /// <inheritdoc/>
    public async Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        S3Request request = S3Request.ForKey(HttpMethod.Head, CheckKey(key), requestId);
        using HttpResponseMessage response = await SendAsync(request, cancellationToken);
        return S3Stat.FromResponse(key, LengthOf(response, request), response);
    }

    /// <inheritdoc/>
    public async Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(range.Offset, nameof(range));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(range.Length, nameof(range));
        if (range.Length > long.MaxValue - range.Offset)
        {
            range = ByteRange.FromBounds(range.Offset, long.MaxValue);
        }

        S3Request request = S3Request.ForKey(HttpMethod.Get, CheckKey(key), requestId) with
        {
            Range = range,
            IfMatch = expected is { } token && S3Stat.IsETag(token) ? token.Value : null,
        };

        HttpResponseMessage response;
        try
        {
            response = await SendAsync(request, cancellationToken);
        }
        catch (ForebayException error) when (error.Kind == ErrorKind.InvalidRange && expected is { } wanted)
        {
            // The expected version has these bytes: the store looked at the range before the version, or cannot compare versions.
            throw new ForebayException(ErrorKind.StaleVersion, $"'{key}' in {DisplayName} has no bytes at {range.Offset} and is no longer version {wanted}", error);
        }

        try
        {
            long whole = WholeLength(response, request, range);
            ObjectStat stat = S3Stat.FromResponse(key, whole, response);
            if (expected is { } wanted && stat.Token != wanted)
            {
                throw new ForebayException(ErrorKind.StaleVersion, $"'{key}' in {DisplayName} is version {stat.Token} and no longer {wanted}");
            }

            ByteRange answered = range.ClampTo(whole);
            if (answered.IsEmpty)
            {
                throw new ForebayException(ErrorKind.InvalidRange, $"'{key}' in {DisplayName} has {whole} bytes, none at {range.Offset}");
            }

            Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                await SkipAsync(body, answered.Offset, key, cancellationToken);
            }

            return new S3Read(this, response, body, answered.Length) { Stat = stat, Range = answered };
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        (_credentials as IDisposable)?.Dispose();
        return ValueTask.CompletedTask;
    }

    private static SocketsHttpHandler CreateHandler(TimeSpan connectTimeout, int maxConnections) => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
        AutomaticDecompression = DecompressionMethods.None,
        MaxConnectionsPerServer = maxConnections,
        ConnectTimeout = connectTimeout,
        PooledConnectionLifetime = ConnectionLifetime,
        PooledConnectionIdleTimeout = ConnectionIdle,
        MaxResponseHeadersLength = 64,
    };

    /// <summary>The bucket itself has the empty path, so an empty key would ask for something else.</summary>
    private string CheckKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.Length > 0 ? key : throw new ForebayException(ErrorKind.NotFound, $"{DisplayName} has no object with an empty key");
    }

    private long LengthOf(HttpResponseMessage response, S3Request request)
        => response.Content.Headers.ContentLength ?? throw Broken(request, "without a length");

    /// <summary>Length of the whole object; verifies that the answer is the range that was asked.</summary>
    private long WholeLength(HttpResponseMessage response, S3Request request, ByteRange asked)
    {
        if (response.StatusCode == HttpStatusCode.OK)
        {
            return LengthOf(response, request);
        }

        if (!response.Content.Headers.NonValidated.TryGetValues("Content-Range", out var values)
            || !ContentRange.TryParse(values.ToString(), out ByteRange answered, out long whole))
        {
            throw Broken(request, "206 without a usable Content-Range");
        }

        if (answered != asked.ClampTo(whole) || (response.Content.Headers.ContentLength is { } length && length != answered.Length))
        {
            throw Broken(request, string.Create(CultureInfo.InvariantCulture, $"with bytes {answered} of {whole}"));
        }

        return whole;
    }

    /// <summary>A store that ignores Range answers with the whole object: what comes before the range is read and dropped.</summary>
    private async Task SkipAsync(Stream body, long count, string key, CancellationToken cancellationToken)
    {
        if (count == 0)
        {
            return;
        }

        byte[] scrap = new byte[(int)Math.Min(count, 64 << 10)];
        while (count > 0)
        {
            count -= await S3Read.ReadBodyAsync(body, scrap.AsMemory(0, (int)Math.Min(count, scrap.Length)), key, DisplayName, cancellationToken);
        }
    }

    private ForebayException Broken(S3Request request, string how)
        => new(ErrorKind.Unavailable, $"{request.Describe(DisplayName)}: the store answered {how}");
}
