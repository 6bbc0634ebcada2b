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

    /// <summary>Forgets what is kept, because the store called it expired. False when there is nothing newer to be had.</summary>
    bool TryInvalidate();
}

/// <summary>A key pair that never changes, or none.</summary>
internal sealed class FixedCredentialSource(UnderStoreCredentials? credentials) : ICredentialSource
{
    public ValueTask<UnderStoreCredentials?> GetAsync(CancellationToken cancellationToken) => new(credentials);

    public bool TryInvalidate() => false;
}

/// <summary>
/// The usual AWS chain: environment, profile, web identity, container, instance metadata. Resolved at first use, on the pool
/// and once for all waiters; asked again every 30 s, and the chain itself refreshes what expires.
/// </summary>
internal sealed class ChainCredentialSource : ICredentialSource, IDisposable
{
    private static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(30);

    private readonly string? _profile;
    private readonly TimeProvider _timeProvider;
    private readonly SemaphoreSlim _resolving = new(1, 1);
    private AWSCredentials? _chain;
    private Kept? _kept;

    public ChainCredentialSource(string? profile, TimeProvider timeProvider)
    {
        _profile = profile;
        _timeProvider = timeProvider;
    }

    public ValueTask<UnderStoreCredentials?> GetAsync(CancellationToken cancellationToken)
        => Volatile.Read(ref _kept) is { } kept && IsFresh(kept) ? new(kept.Credentials) : ResolveAsync(cancellationToken);

    public bool TryInvalidate()
    {
        Volatile.Write(ref _kept, null);
        return true;
    }

    public void Dispose() => _resolving.Dispose();

    private bool IsFresh(Kept kept) => _timeProvider.GetElapsedTime(kept.At) < KeepFor;

    private async ValueTask<UnderStoreCredentials?> ResolveAsync(CancellationToken cancellationToken)
    {
        await _resolving.WaitAsync(cancellationToken);
        try
        {
            if (Volatile.Read(ref _kept) is { } kept && IsFresh(kept))
            {
                return kept.Credentials;
            }

            // The chain blocks while it looks around (files, instance metadata), so it never runs on the caller's thread.
            _chain ??= await Task.Run(OpenChain, cancellationToken).WaitAsync(cancellationToken);
            ImmutableCredentials pair = await Task.Run(_chain.GetCredentialsAsync, cancellationToken).WaitAsync(cancellationToken);
            UnderStoreCredentials credentials = new(pair.AccessKey, pair.SecretKey, pair.Token);
            Volatile.Write(ref _kept, new Kept(credentials, _timeProvider.GetTimestamp()));
            return credentials;
        }
        catch (Exception error) when (error is not (OperationCanceledException or ForebayException))
        {
            string where = _profile is null ? "the AWS credential chain" : $"profile '{_profile}'";
            throw new ForebayException(
                ErrorKind.AccessDenied,
                $"{where} gives no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, give a key pair in the configuration, or mount with anonymous=true",
                error);
        }
        finally
        {
            _resolving.Release();
        }
    }

    private AWSCredentials OpenChain()
    {
        if (_profile is null)
        {
            return DefaultAWSCredentialsIdentityResolver.GetCredentials();
        }

        return new CredentialProfileStoreChain().TryGetAWSCredentials(_profile, out AWSCredentials credentials)
            ? credentials
            : throw new ForebayException(ErrorKind.InvalidArgument, $"profile '{_profile}' is not in the AWS configuration (~/.aws/config, ~/.aws/credentials)");
    }

    private sealed record Kept(UnderStoreCredentials Credentials, long At);
}
