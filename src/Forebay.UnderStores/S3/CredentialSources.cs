using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.Runtime.Credentials;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>Where the key pair of a request comes from.</summary>
internal interface ICredentialSource
{
    /// <summary>The current key pair; null for unsigned requests.</summary>
    ValueTask<UnderStoreCredentials?> GetAsync(CancellationToken cancellationToken);

    /// <summary>Forgets a key pair that the store refused as expired. False when there is nothing newer to be had.</summary>
    bool TryInvalidate(UnderStoreCredentials refused);
}

/// <summary>A key pair that never changes, or none.</summary>
internal sealed class FixedCredentialSource(UnderStoreCredentials? credentials) : ICredentialSource
{
    public ValueTask<UnderStoreCredentials?> GetAsync(CancellationToken cancellationToken) => new(credentials);

    public bool TryInvalidate(UnderStoreCredentials refused) => false;
}

/// <summary>
/// The usual AWS chain: environment, web identity, profile, container, instance metadata. Resolved at first use, on the pool and once for
/// all waiters; asked again every 30 s and before what it gave expires. The chain itself refreshes what expires and sees changed files.
/// </summary>
/// <remarks>Thread-safe. A chain that gives nothing is asked again after 5 s, so that a broken set-up costs no question for each request.</remarks>
internal sealed class ChainCredentialSource : ICredentialSource, IDisposable
{
    private static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(30);

    /// <summary>A pair this close to its end is asked for again each second: long requests and a clock that is off need the rest.</summary>
    private static readonly TimeSpan ExpiryMargin = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan KeepExpiringFor = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan KeepFailureFor = TimeSpan.FromSeconds(5);

    private readonly string? _profile;
    private readonly TimeProvider _timeProvider;
    private readonly Func<AWSCredentials> _open;
    private readonly SemaphoreSlim _resolving = new(1, 1);
    private readonly Lock _invalidating = new();
    private long? _invalidatedAt;
    private volatile bool _isRefused;
    private AWSCredentials? _chain;
    private Kept? _kept;

    /// <param name="profile">Profile of the AWS files; null for the whole chain.</param>
    /// <param name="timeProvider">Clock of the time-outs above.</param>
    public ChainCredentialSource(string? profile, TimeProvider timeProvider)
        : this(profile, timeProvider, profile is null ? DefaultChain : () => ProfileOf(profile))
    {
    }

    /// <summary>As above, over a chain of the caller's.</summary>
    internal ChainCredentialSource(string? profile, TimeProvider timeProvider, Func<AWSCredentials> open)
    {
        _profile = profile;
        _timeProvider = timeProvider;
        _open = open;
    }

    public ValueTask<UnderStoreCredentials?> GetAsync(CancellationToken cancellationToken)
        => Volatile.Read(ref _kept) is { Credentials: { } credentials } kept && IsFresh(kept) ? new(credentials) : ResolveAsync(cancellationToken);

    public bool TryInvalidate(UnderStoreCredentials refused)
    {
        lock (_invalidating)
        {
            if (Volatile.Read(ref _kept) is { Credentials: { } current } && !ReferenceEquals(current, refused))
            {
                return true;
            }

            // A store that refuses whatever it is shown must not drive the chain with every request.
            if (_invalidatedAt is { } at && _timeProvider.GetElapsedTime(at) < KeepFailureFor)
            {
                return false;
            }

            _invalidatedAt = _timeProvider.GetTimestamp();
            _isRefused = true;
            Volatile.Write(ref _kept, null);
            return true;
        }
    }

    public void Dispose() => _resolving.Dispose();

    private static AWSCredentials DefaultChain() => DefaultAWSCredentialsIdentityResolver.GetCredentials();

    private static AWSCredentials ProfileOf(string profile) => new CredentialProfileStoreChain().TryGetAWSCredentials(profile, out AWSCredentials credentials)
        ? credentials
        : throw new ForebayException(
            ErrorKind.InvalidArgument, $"profile '{profile}' is not in the AWS files (~/.aws/config and ~/.aws/credentials, or where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE point)");

    private bool IsFresh(Kept kept) => _timeProvider.GetElapsedTime(kept.At) < kept.For;

    private async ValueTask<UnderStoreCredentials?> ResolveAsync(CancellationToken cancellationToken)
    {
        await _resolving.WaitAsync(cancellationToken);
        try
        {
            if (Volatile.Read(ref _kept) is { } kept && IsFresh(kept))
            {
                return kept.Credentials ?? throw NothingFound(kept.Failure);
            }

            // The chain blocks while it looks around (files, instance metadata), so it never runs on the caller's thread.
            (ImmutableCredentials pair, DateTime? expiration) = await Task.Run(AskAsync, cancellationToken).WaitAsync(cancellationToken);
            UnderStoreCredentials credentials = new(pair.AccessKey, pair.SecretKey, pair.Token);
            Keep(credentials, null, TimeToKeep(expiration));
            return credentials;
        }
        catch (Exception error) when (error is not ForebayException && !(error is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            Keep(null, error, KeepFailureFor);
            throw NothingFound(error);
        }
        finally
        {
            _resolving.Release();
        }
    }

    private async Task<(ImmutableCredentials Pair, DateTime? Expiration)> AskAsync()
    {
        // What refreshes itself is kept, because opening it anew would ask its service again; files are read anew.
        if (_isRefused)
        {
            _isRefused = false;
            (_chain as RefreshingAWSCredentials)?.ClearCredentials();
        }

        if (_profile is null || _chain is not RefreshingAWSCredentials)
        {
            _chain = _open();
        }

        ImmutableCredentials pair = await _chain.GetCredentialsAsync();
        return (pair, _chain.Expiration);
    }

    private TimeSpan TimeToKeep(DateTime? expiration)
    {
        if (expiration is not { } end)
        {
            return KeepFor;
        }

        TimeSpan left = new DateTimeOffset(end.ToUniversalTime()) - _timeProvider.GetUtcNow() - ExpiryMargin;
        return left < KeepExpiringFor ? KeepExpiringFor : left > KeepFor ? KeepFor : left;
    }

    private void Keep(UnderStoreCredentials? credentials, Exception? failure, TimeSpan time)
        => Volatile.Write(ref _kept, new Kept(credentials, failure, _timeProvider.GetTimestamp(), time));

    private ForebayException NothingFound(Exception? cause)
    {
        string where = _profile is null ? "the AWS credential chain (environment, web identity, profile, container, instance metadata)" : $"profile '{_profile}'";
        return new ForebayException(
            ErrorKind.AccessDenied,
            $"{where} gives no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, give a key pair in the configuration, or mount with anonymous=true",
            cause);
    }

    private sealed record Kept(UnderStoreCredentials? Credentials, Exception? Failure, long At, TimeSpan For);
}
