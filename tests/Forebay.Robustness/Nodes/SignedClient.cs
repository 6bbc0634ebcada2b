using System.Net.Http.Headers;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Forebay.Robustness.Nodes;

/// <summary>A client of a node's S3 endpoint: signed by the AWS SDK, sent by hand, so that nothing is retried or hidden.</summary>
internal sealed class SignedClient : IDisposable
{
    private readonly AmazonS3Client _sdk;
    private readonly HttpClient _http;

    public SignedClient(string s3Address, TimeSpan? timeout = null)
    {
        _sdk = new AmazonS3Client(
            new BasicAWSCredentials(NodeSettings.AccessKeyId, NodeSettings.SecretAccessKey),
            new AmazonS3Config { ServiceURL = s3Address, AuthenticationRegion = "us-east-1", ForcePathStyle = true, UseHttp = true, MaxErrorRetry = 0 });
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1000, UseProxy = false }) { Timeout = timeout ?? TimeSpan.FromSeconds(30) };
    }

    /// <summary>A signed URL of an object.</summary>
    public string Sign(string bucket, string key) => _sdk.GetPreSignedURL(new GetPreSignedUrlRequest
    {
        BucketName = bucket,
        Key = key,
        Expires = DateTime.UtcNow.AddHours(1),
        Protocol = Protocol.HTTP,
    });

    /// <summary>Reads an object or a range of it; never throws for what the node or the network does.</summary>
    /// <param name="bucket">Mount point.</param>
    /// <param name="key">Key.</param>
    /// <param name="from">First byte, or null for the whole object.</param>
    /// <param name="length">Bytes from there on.</param>
    public async Task<Answer> GetAsync(string bucket, string key, long? from = null, long length = 0)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, Sign(bucket, key));
        if (from is not null)
        {
            request.Headers.Range = new RangeHeaderValue(from, from + length - 1);
        }

        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            return await ReadAsync(response);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            return Answer.Broken;
        }
    }

    /// <summary>Reads a whole object as an application does: by the SDK alone, signed in the headers.</summary>
    public async Task<Answer> GetWithSdkAsync(string bucket, string key)
    {
        using GetObjectResponse response = await _sdk.GetObjectAsync(bucket, key);
        using MemoryStream body = new();
        await response.ResponseStream.CopyToAsync(body);
        return new Answer((int)response.HttpStatusCode, body.ToArray(), body.Length == response.ContentLength, response.ETag, 0, response.ContentLength, null);
    }

    /// <summary>Lists a mount point as an application does: sizes and keys, by pages.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(string bucket, int pageSize)
    {
        List<string> listed = [];
        ListObjectsV2Request request = new() { BucketName = bucket, MaxKeys = pageSize };
        ListObjectsV2Response page;
        do
        {
            page = await _sdk.ListObjectsV2Async(request);
            listed.AddRange(page.S3Objects.Select(found => $"{found.Size} {found.ETag} {found.Key}"));
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
        return listed;
    }

    public void Dispose()
    {
        _sdk.Dispose();
        _http.Dispose();
    }

    private static async Task<Answer> ReadAsync(HttpResponseMessage response)
    {
        byte[] body = new byte[response.Content.Headers.ContentLength ?? 0];
        int filled = 0;
        bool isComplete = true;
        try
        {
            await using Stream stream = await response.Content.ReadAsStreamAsync();
            while (filled < body.Length && await stream.ReadAsync(body.AsMemory(filled)) is var count and > 0)
            {
                filled += count;
            }
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            isComplete = false;
        }

        ContentRangeHeaderValue? range = response.Content.Headers.ContentRange;
        return new Answer(
            (int)response.StatusCode,
            filled == body.Length ? body : body[..filled],
            isComplete && filled == body.Length,
            response.Headers.ETag?.ToString(),
            range?.From ?? 0,
            range?.Length ?? body.Length,
            response.Headers.RetryAfter?.Delta?.TotalSeconds);
    }
}
