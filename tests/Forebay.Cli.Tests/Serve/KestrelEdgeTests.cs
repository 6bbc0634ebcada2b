using System.Net;
using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Forebay.Core;
using Microsoft.AspNetCore.Http;

namespace Forebay.Cli.Tests.Serve;

public sealed class KestrelEdgeTests
{
    private static readonly ListenAddress Free = new(IPAddress.Loopback, 0);

    [Fact]
    public async Task ItAnswersOnTheAddressItNames()
    {
        await using KestrelEdge edge = new("S3", Free, context => context.Response.WriteAsync(context.Request.Path));
        await edge.StartAsync(CancellationToken.None);
        using HttpClient client = new();

        Assert.Equal("/a/b", await client.GetStringAsync(new Uri($"{edge.Address}/a/b")));
    }

    [Fact]
    public async Task ATakenAddressIsNamedWithTheRemedy()
    {
        await using KestrelEdge first = new("S3", Free, _ => Task.CompletedTask);
        await first.StartAsync(CancellationToken.None);
        ListenAddress taken = Free with { Port = new Uri(first.Address).Port };
        await using KestrelEdge second = new("admin", taken, _ => Task.CompletedTask);

        ForebayException e = await Assert.ThrowsAsync<ForebayException>(() => second.StartAsync(CancellationToken.None));

        Assert.Equal($"the address {taken} of the admin endpoint is in use; choose another with --admin ADDR (port 0 takes a free one).", e.Message);
        Assert.Equal(Free, Forebay.Cli.Demo.DemoRunner.FreeOr(taken));
    }

    [Fact]
    public async Task ADrainLetsARunningRequestFinish()
    {
        TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using KestrelEdge edge = new("S3", Free, async context =>
        {
            entered.SetResult();
            await release.Task;
            await context.Response.WriteAsync("whole");
        });
        await edge.StartAsync(CancellationToken.None);
        using HttpClient client = new();
        Task<string> answer = client.GetStringAsync(new Uri(edge.Address));
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(30));

        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        Task drain = edge.DrainAsync(limit.Token);
        Assert.False(drain.IsCompleted);
        release.SetResult();

        await drain;
        Assert.Equal("whole", await answer);
    }
}
