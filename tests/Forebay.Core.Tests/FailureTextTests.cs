using System.Net.Sockets;
using Xunit;

namespace Forebay.Core.Tests;

public sealed class FailureTextTests
{
    [Fact]
    public void ASentenceHasTheCausesThatItDoesNotRepeat()
    {
        SocketException refused = new((int)SocketError.ConnectionRefused);
        HttpRequestException tls = new("The SSL connection could not be established, see inner exception.", new IOException("the peer hung up", refused));
        ForebayException error = new(ErrorKind.Unavailable, $"reading 'a\u001b[31m\nb': {tls.Message}", new ForebayException(ErrorKind.Unavailable, tls.Message, tls));

        Assert.Equal($"reading 'a [31m b': {tls.Message}: the peer hung up: {refused.Message}", FailureText.Of(error));
        Assert.True(FailureText.IsForeseen(error));
    }

    [Fact]
    public void ABugStaysOneHoweverItIsWrapped()
    {
        ForebayException bug = new(ErrorKind.Unavailable, "the fill failed", new InvalidCastException()) { IsUnforeseen = true };
        Assert.False(FailureText.IsForeseen(bug));
        Assert.False(FailureText.IsForeseen(new ForebayException(ErrorKind.Unavailable, "again", bug)));
        Assert.False(FailureText.IsForeseen(new InvalidOperationException()));
        Assert.True(FailureText.IsForeseen(new ForebayException(ErrorKind.AccessDenied, "no credentials", new InvalidOperationException("of a library, and caught on purpose"))));
        Assert.True(FailureText.IsForeseen(new OperationCanceledException("x", new TimeoutException())));
    }
}
