using Amazon.Runtime;
using Forebay.Core;
using Forebay.Testing;
using Forebay.UnderStores.S3;
using Xunit;

namespace Forebay.UnderStores.Tests;

/// <summary>How long what the chain gave is believed. The chain itself, over real files and services, is tested by Forebay.Robustness.</summary>
public sealed class ChainCredentialTests
{
    private readonly ManualTimeProvider _clock = new();
    private readonly Scripted _chain = new();
    private readonly CancellationToken _token = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;
    private int _opened;

    [Fact]
    public async Task APermanentPairIsAskedForEveryThirtySeconds()
    {
        using ChainCredentialSource source = Open();

        Assert.Equal("KEY1", await IdAsync(source));
        _clock.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal("KEY1", await IdAsync(source));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("KEY2", await IdAsync(source));
    }

    [Fact]
    public async Task APairIsAskedForAgainAMinuteBeforeItExpires()
    {
        using ChainCredentialSource source = Open();
        _chain.Expires = _clock.GetUtcNow() + TimeSpan.FromSeconds(70);

        Assert.Equal("KEY1", await IdAsync(source));
        _clock.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal("KEY1", await IdAsync(source));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("KEY2", await IdAsync(source));

        // Inside the last minute: each second, until the service gives a longer one.
        Assert.Equal("KEY2", await IdAsync(source));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("KEY3", await IdAsync(source));
    }

    [Fact]
    public async Task ARefusedPairIsForgottenOnceAndNotByEveryRequestThatUsedIt()
    {
        using ChainCredentialSource source = Open();
        UnderStoreCredentials first = (await source.GetAsync(_token))!;

        Assert.True(source.TryInvalidate(first));
        UnderStoreCredentials second = (await source.GetAsync(_token))!;
        Assert.True(source.TryInvalidate(first), "another request, which still used the first, may try with the second");
        Assert.Same(second, await source.GetAsync(_token));

        Assert.False(source.TryInvalidate(second), "the store refuses everything: the chain must not be asked with each request");
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.True(source.TryInvalidate(second));
        Assert.Equal("KEY3", await IdAsync(source));
    }

    [Fact]
    public async Task AChainWithoutCredentialsSaysWhatToDoAndIsAskedAgainAfterAWhile()
    {
        using ChainCredentialSource source = Open();
        _chain.Failure = new AmazonClientException("nothing here");

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => IdAsync(source));
        await Assert.ThrowsAsync<ForebayException>(() => IdAsync(source));

        Assert.Equal(ErrorKind.AccessDenied, error.Kind);
        Assert.Contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", error.Message, StringComparison.Ordinal);
        Assert.Contains("anonymous=true", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, _opened);
        _chain.Failure = null;
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("KEY1", await IdAsync(source));
    }

    /// <summary>Taken for the caller's own cancellation, it would end every request that waits without an answer.</summary>
    [Fact]
    public async Task ATimeOutInsideTheChainIsAFailureAndNoCancellation()
    {
        using ChainCredentialSource source = Open();
        _chain.Failure = new TaskCanceledException("the metadata service did not answer");

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => IdAsync(source));

        Assert.Equal(ErrorKind.AccessDenied, error.Kind);
        Assert.Same(_chain.Failure, error.InnerException);
    }

    [Fact]
    public async Task ManyFirstUsesAskOnce()
    {
        using ChainCredentialSource source = Open();

        string[] ids = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(() => IdAsync(source))));

        Assert.All(ids, id => Assert.Equal("KEY1", id));
        Assert.Equal(1, _opened);
    }

    private ChainCredentialSource Open() => new(profile: null, _clock, () =>
    {
        Interlocked.Increment(ref _opened);
        return _chain.Failure is { } failure ? throw failure : _chain;
    });

    private async Task<string> IdAsync(ChainCredentialSource source) => (await source.GetAsync(_token))!.AccessKeyId;

    /// <summary>Another pair with each question.</summary>
    private sealed class Scripted : AWSCredentials
    {
        private int _asked;

        public Exception? Failure { get; set; }

        public DateTimeOffset? Expires { get; set; }

        public override DateTime? Expiration => Expires?.UtcDateTime;

        public override ImmutableCredentials GetCredentials() => new($"KEY{Interlocked.Increment(ref _asked)}", "secret", "token");

        public override Task<ImmutableCredentials> GetCredentialsAsync() => Task.FromResult(GetCredentials());
    }
}
